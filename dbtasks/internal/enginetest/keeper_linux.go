package enginetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// keeperRole owns a machine from the outside, in a session of its own: when the
// tests have ended, or its standard input has (who started it is gone, SIGKILL
// included), it ends the machine and removes its control groups, which are all
// that outlives the namespaces.
const keeperRole = "enginetest-keeper"

func init() { reexec.Register(keeperRole, keepMachine) }

// runKept runs this executable with args on a machine of its own below a
// keeper, and is its exit code.
func runKept(args []string) int {
	cmd := reexec.Command(context.Background(), keeperRole, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	lifeline, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the keeper of a test machine:", err)
		return 1
	}
	defer lifeline.Close()
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

func keepMachine(args []string) int {
	runtime.LockOSThread() // the machine ends with the thread that started it
	machine := fmt.Sprintf("dbtasks-test-%d", os.Getpid())
	cmd := reexec.Command(context.Background(), initRole, args...)
	cmd.Env = append(cmd.Env, machineName+"="+machine)
	cmd.SysProcAttr = machineAttr()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start a test machine:", err)
		return 1
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = cmd.Process.Kill()
	}()
	_ = cmd.Wait() // returns when all on the machine is gone: its init is waited for last
	code := cmd.ProcessState.ExitCode()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var err error
		for _, dir := range controlGroups(machine) {
			if e := removeGroup(dir); e != nil && !os.IsNotExist(e) {
				err = e
			}
		}
		if err == nil {
			return code
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "left behind by a test machine:", err)
			return max(code, 1)
		}
	}
}
