// Package reexec lets a program play hidden roles in child processes of its
// own: the same executable, started with a variable that says which. Compiled
// runbooks and test binaries have them alike, and nothing has to be installed.
package reexec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// variable says which role to play. It is unset before the role begins, so
// that children do not inherit it.
const variable = "DBTASKS_ROLE"

var roles = map[string]func(args []string) int{}

// Register names a role; main gets the arguments of Command and returns the
// exit code. It is called from init of the package that owns the role.
func Register(role string, main func(args []string) int) {
	if roles[role] != nil {
		panic("reexec: role registered twice: " + role)
	}
	roles[role] = main
}

// Command is this executable in a role. Secrets go into its Env, never into
// args: everybody on the machine can read a command line.
//
// In a process that was itself started for a role that nobody played, the
// command does not start: it would start itself without end.
func Command(ctx context.Context, role string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), variable+"="+role)
	if unplayed := os.Getenv(variable); unplayed != "" {
		cmd.Err = fmt.Errorf("reexec: this process was started as %s and plays no roles: it must import package runbook", unplayed)
	}
	return cmd
}

// Run plays the role that this process was started for, and exits; it returns
// when there is none. It is called, by Tests, first thing in the TestMain of
// test binaries that have roles of their own.
func Run() {
	role := os.Getenv(variable)
	if role == "" {
		return
	}
	RunRegistered()
	fmt.Fprintf(os.Stderr, "reexec: no such role: %s\n", role)
	os.Exit(2)
}

// RunRegistered is Run where some roles are not registered yet: for one of
// those it returns. It is called from the init of package runbook, so that
// every program that imports that plays the roles.
func RunRegistered() {
	main := roles[os.Getenv(variable)]
	if main == nil {
		return
	}
	_ = os.Unsetenv(variable)
	os.Exit(main(os.Args[1:]))
}

// Tests plays the role that a test binary was started for, else it runs its
// tests. Under nohup what the tests start would ignore a hangup, too: a signal
// that this process handles is at its default in them.
func Tests(m interface{ Run() int }) int {
	Run()
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	return m.Run()
}
