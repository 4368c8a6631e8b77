package enginetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// keeperRole owns a machine, and the other one, from the outside, in a session
// of its own: when the tests have ended, or its standard input has (who started
// it is gone, SIGKILL included), it ends the machines and removes the control
// groups, which are all that outlives the namespaces.
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
	runtime.LockOSThread() // the machines end with the thread that started them
	machine := fmt.Sprintf("dbtasks-test-%d", os.Getpid())
	code, err := runMachines(machine, args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start a test machine:", err)
		code = 1
	}
	if err := removeGroups(machine); err != nil {
		fmt.Fprintln(os.Stderr, "left behind by a test machine:", err)
		code = max(code, 1)
	}
	return code
}

// runMachines makes both machines with a network between them, runs the tests
// and is their exit code.
func runMachines(machine string, args []string) (int, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 1, err
	}
	start := func(role string, end int, args ...string) (*exec.Cmd, io.Reader, io.WriteCloser, error) {
		cmd := reexec.Command(context.Background(), role, args...)
		cmd.Env = append(cmd.Env, machineName+"="+machine)
		cmd.SysProcAttr = machineAttr()
		cmd.Stderr = os.Stderr
		file := os.NewFile(uintptr(end), "the other machine's")
		defer file.Close()
		cmd.ExtraFiles = []*os.File{file} // otherFD there
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, nil, nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, nil, nil, err
		}
		return cmd, out, in, cmd.Start()
	}
	other, says, _, err := start(otherRole, ends[0])
	if err != nil {
		return 1, err
	}
	// Wait returns when all on a machine is gone: the kernel ends it with its
	// first process, and that one last.
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	this, out, begin, err := start(initRole, ends[1], args...)
	if err != nil {
		return 1, err
	}
	defer func() { _ = this.Process.Kill(); _ = this.Wait() }()
	if word, err := bufio.NewReader(says).ReadString('\n'); err != nil {
		return 1, fmt.Errorf("the other machine said %q: %w", word, err)
	}
	if err := connect(this.Process.Pid, other.Process.Pid); err != nil {
		return 1, err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = this.Process.Kill()
	}()
	_ = begin.Close()
	_, _ = io.Copy(os.Stdout, out)
	_ = this.Wait()
	return this.ProcessState.ExitCode(), nil
}

// connect lays a network between the machines of two processes.
func connect(this, other int) error {
	commands := []string{fmt.Sprintf("ip link add eth0 netns %d type veth peer name eth0 netns %d", this, other)}
	for pid, addr := range map[int]string{this: ThisAddr.String(), other: OtherAddr.String()} {
		enter := fmt.Sprintf("nsenter --net=/proc/%d/ns/net ", pid)
		commands = append(commands, enter+"ip addr add "+addr+"/24 dev eth0", enter+"ip link set eth0 up")
	}
	for _, command := range commands {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", command, err, out)
		}
	}
	return nil
}

// removeGroups removes what is left of a machine that has ended.
func removeGroups(machine string) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var err error
		for _, dir := range controlGroups(machine) {
			if e := removeGroup(dir); e != nil && !os.IsNotExist(e) {
				err = e
			}
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
