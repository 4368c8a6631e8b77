//go:build unix

package devserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

func init() {
	programs["main"] = mainProgram
	programs["mage"] = mageProgram
	programs["sh"] = mageProgram // the same under the name of a shell
	programs["shell"] = shellProgram
	programs["server"] = serverProgram
	programs["daemon"] = daemonProgram
	programs["sleeper"] = sleeperProgram
	programs["keys"] = keysProgram
}

// graceVariable, in a command's environment, shortens the grace it is run with.
const graceVariable = "DEVSERVER_TEST_GRACE"

// mainProgram is a target as Mage runs it: Run with a context that SIGINT
// cancels. args: the folder, in which command.json says what to run.
func mainProgram(args []string) int {
	dir := args[0]
	var cmd Command
	text, err := os.ReadFile(filepath.Join(dir, "command.json"))
	if err == nil {
		err = json.Unmarshal(text, &cmd)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	var grace time.Duration
	if value := lookup(cmd.Env, graceVariable); value != nil && *value != "" {
		if grace, err = time.ParseDuration(*value); err != nil {
			return 97
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	go func() { <-interrupts; cancel() }()
	result, err := Run(ctx, cmd, RunOptions{Grace: grace, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, OnStart: func(pid int) { note(dir, "command", pid) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 98
	}
	text, _ = json.Marshal(result)
	_ = os.WriteFile(filepath.Join(dir, "result.tmp"), text, 0o644)
	_ = os.Rename(filepath.Join(dir, "result.tmp"), filepath.Join(dir, "result.json"))
	return result.ExitCode
}

// mageProgram starts its arguments and waits for them, as mage does.
func mageProgram(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), programVariable+"=main")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if cmd.Start() != nil {
		return 97
	}
	note(args[1], "main", cmd.Process.Pid)
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// shellProgram gives its arguments a process group of their own in front of
// the terminal, as an interactive shell does, and waits for them.
func shellProgram(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), programVariable+"=main")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 97
	}
	note(args[1], "main", cmd.Process.Pid)
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// serverProgram listens and has a grandchild and, where those can be found, a
// daemon of its own. args: folder, "polite" or "stubborn".
func serverProgram(args []string) int {
	dir := args[0]
	if args[1] == "stubborn" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 96
	}
	start(dir, "sleeper", args[1], nil)
	if hostops.CanSubreap {
		// The one between ends at once: its child is an orphan in a session of its own.
		if start(dir, "daemon", args[1], &syscall.SysProcAttr{Setsid: true}).Wait() != nil {
			return 95
		}
	}
	note(dir, "server", os.Getpid())
	note(dir, "port", l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			return 0
		}
		_ = c.Close()
	}
}

func daemonProgram(args []string) int {
	start(args[0], "sleeper", args[1], &syscall.SysProcAttr{Setsid: true})
	return 0
}

func sleeperProgram(args []string) int {
	if args[1] == "stubborn" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	}
	note(args[0], "sleeper-"+strconv.Itoa(os.Getpid()), os.Getpid())
	time.Sleep(time.Minute) // nobody waits for it: whoever leaves it behind fails
	return 0
}

// keysProgram reads single keys, as dev servers do, and never puts the
// terminal back. args: folder.
func keysProgram(args []string) int {
	signal.Ignore(syscall.SIGTERM)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt)
	go func() { <-ended; os.Exit(3) }()
	settings, err := unix.IoctlGetTermios(0, getTermios)
	if err != nil {
		fmt.Println("no terminal:", err)
		return 94
	}
	settings.Lflag &^= unix.ICANON | unix.ECHO
	if err := unix.IoctlSetTermios(0, setTermios, settings); err != nil {
		return 93
	}
	note(args[0], "server", os.Getpid())
	note(args[0], "port", 0)
	key := make([]byte, 1)
	for {
		if n, err := os.Stdin.Read(key); n == 0 || err != nil {
			return 92
		}
		fmt.Printf("key %q\r\n", key)
	}
}

func start(dir, program, mode string, attr *syscall.SysProcAttr) *exec.Cmd {
	cmd := exec.Command(os.Args[0], dir, mode)
	cmd.Env = append(os.Environ(), programVariable+"="+program)
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return cmd
}

// note leaves a number in the folder, whole or not at all.
func note(dir, name string, number int) {
	tmp := filepath.Join(dir, name+".tmp")
	_ = os.WriteFile(tmp, []byte(strconv.Itoa(number)), 0o644)
	_ = os.Rename(tmp, filepath.Join(dir, name+".pid"))
}
