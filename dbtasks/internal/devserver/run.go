package devserver

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// How the end is timed. All together stays under the 5 s that Mage gives a
// target after Ctrl+C.
const (
	defaultGrace   = 2500 * time.Millisecond
	interruptGrace = 1200 * time.Millisecond // after Ctrl+C, before TERM
	givenUp        = 4000 * time.Millisecond // a supervisor that has not answered by then is frozen
	watchEvery     = 400 * time.Millisecond  // looks at the launchers
)

// RunOptions are how to run a command.
type RunOptions struct {
	// Stdin, Stdout and Stderr are the command's own, so that it reads keys
	// from the terminal and colours what it writes. Nil: the null device.
	Stdin, Stdout, Stderr *os.File
	// Grace is the time between TERM and KILL; 0, or more than that: 2.5 s.
	Grace time.Duration
	// OnStart gets the pid of the command once it runs. It must not block.
	OnStart func(pid int)
}

// Interrupted is the reason of a run that Ctrl+C ended.
const Interrupted = "interrupted"

// Result is how a run ended.
type Result struct {
	ExitCode int // the command's; 128+n when signal n ended it; 1 when it can't be known
	// Reason is what ended the run where it was not the command itself:
	// "SIGTERM", "interrupted", "npm (pid 42) is gone". Empty: the command ended.
	Reason string
	Left   []hostops.Process // what could not be ended, or must not be (PostgreSQL)
}

// Run runs a command and ends what is left of its tree when it ends, when ctx
// does, on SIGTERM and SIGHUP (unless it was ignored from the start: nohup),
// and when a launcher of this process (go, mage, the package manager) is gone.
// It returns when the tree is gone, at most 5 s later. Editors, browsers and
// agents that the command opened are the user's, and stay.
//
// The command is in this process's group and session: keys, Ctrl+C and Ctrl+Z
// of the terminal reach it. After Ctrl+C it has 1.2 s to end by itself; then,
// as in every other case, TERM, the grace and KILL follow, children first.
//
// On Unix a supervisor process stands between the two (package reexec), which
// ends the tree also when this process is killed; when the supervisor is
// killed, this process ends the tree. On Linux both are subreapers: whatever
// daemonises itself stays theirs to find. On macOS a process that leaves the
// tree within half a second of its start may be missed. On Windows a job
// object holds the tree; there is no TERM there, so the end is a kill.
//
// One Run at a time in a process. The error is ErrNotStarted, wrapped, or
// ErrNoRoles.
func Run(ctx context.Context, cmd Command, o RunOptions) (Result, error) {
	if o.Grace <= 0 || o.Grace > defaultGrace {
		o.Grace = defaultGrace
	}
	// Clean-up must not be cancelled; ctx is only watched.
	return run(ctx, context.WithoutCancel(ctx), cmd, o)
}

// reasonOf is why ctx ended, for people.
func reasonOf(ctx context.Context) string {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		return "timed out"
	case errors.Is(cause, context.Canceled) && cause.Error() == context.Canceled.Error():
		return Interrupted // Mage cancels like this on Ctrl+C
	default:
		return cause.Error() // signal.NotifyContext names the signal
	}
}
