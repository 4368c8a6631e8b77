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
func Command(ctx context.Context, role string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), variable+"="+role)
	return cmd
}

// Run plays the role that this process was started for, and exits; it returns
// when there is none. It is called from the init of package dbtasks and, by
// Tests, first thing in the TestMain of test binaries that use roles.
func Run() {
	role := os.Getenv(variable)
	if role == "" {
		return
	}
	_ = os.Unsetenv(variable)
	main := roles[role]
	if main == nil {
		fmt.Fprintf(os.Stderr, "reexec: no such role: %s\n", role)
		os.Exit(2)
	}
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
