package pgserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The kinds of restart that are known.
const (
	RestartByCommand    = "command"
	RestartByPgCtl      = "pg_ctl"
	RestartByCluster    = "pg_ctlcluster"
	RestartBySystemd    = "systemd"
	RestartByBrew       = "brew"
	RestartByContainer  = "container"
	RestartBySupervisor = "supervisor"
	RestartByService    = "service"
)

const (
	// restartDeadline bounds Apply: pg_ctl waits twice pgCtlTimeout, and systemd
	// stops a unit for 90 s before it uses force. The user's own command is not
	// bounded.
	restartDeadline = 100 * time.Second

	// askTimeout bounds a question to systemctl, sudo or a container engine.
	askTimeout = 5 * time.Second
)

var selfPID = os.Getpid()

// Restart is a plan to restart one server; PlanRestart makes it.
type Restart struct {
	Kind     string // RestartByCommand, …
	Evidence string // how it was told that this is the way
	Log      string // where the server's messages are: a file, or the command that shows them; "": not known

	typed    string           // the command to type where Apply fails; "": line
	line     string           // the command for people
	prepare  func() *exec.Cmd // the command to run, made anew for each Apply
	check    func() error     // is it still the server that was looked at? nil: not asked
	down     func() error     // does no server run there? nil: not asked
	wake     func() error     // lets a frozen server go on; nil: not needed
	ready    func() bool      // does the new server say that it takes logins? nil: the command's end tells
	limit    time.Duration    // of Apply; 0: none
	finishes bool             // must not be cut in half: a context that ends does not end it
}

// detector plans one kind of restart. ok false: this server is not of the kind.
type detector func(pm Postmaster, s surroundings) (r Restart, ok bool, err error)

// detectors are asked in this order. Supervisors that would start the server
// again by themselves belong before pg_ctl, which fits every server.
var detectors = []detector{planContainer, planSystemd, planBrew, planService, planSupervisor, planCluster, planPgCtl}

// planProgram runs a program with these arguments, as it is. Once begun it is
// not cut in half.
func planProgram(kind string, argv []string, evidence string) Restart {
	return Restart{Kind: kind, Evidence: evidence, line: strings.Join(argv, " "), limit: restartDeadline, finishes: true,
		prepare: func() *exec.Cmd {
			cmd := exec.Command(argv[0], argv[1:]...)
			setDetached(cmd)
			return cmd
		}}
}

// PlanRestart says how this server is restarted: with command (the value of
// DBTASKS_RESTART_COMMAND) when there is one, else in the way that fits pm,
// which is nil when the server is not known; its PID alone may do, where its
// data directory is another user's. ErrNoRestart when there is none, as a
// *ManualRestart where it is known what to type.
func PlanRestart(pm *Postmaster, command string) (Restart, error) {
	if command != "" {
		return planCommand(command), nil
	}
	if pm == nil {
		return Restart{}, fmt.Errorf("%w: its process is not known", ErrNoRestart)
	}
	around := surroundingsOf(pm.PID)
	for _, detect := range detectors {
		if r, ok, err := detect(*pm, around); ok || err != nil {
			if pm.DataDir != "" { // else all that is known of it is its process
				known := *pm
				r.check, r.wake = func() error { return stillThere(known) }, func() error { return wake(known) }
				r.down = func() error { return isDown(known) }
			}
			return r, err
		}
	}
	return Restart{}, fmt.Errorf("%w: no pg_ctl was found for process %d", ErrNoRestart, pm.PID)
}

// Describe is the command that Apply runs, passwords hidden.
func (r Restart) Describe() string { return r.line }

// Typed is the command for people to type where Apply did not do it.
func (r Restart) Typed() string {
	if r.typed != "" {
		return r.typed
	}
	return r.line
}

// String is Describe: nothing else of it is for people.
func (r Restart) String() string { return r.line }

// GoString is Describe.
func (r Restart) GoString() string { return r.line }

// Apply restarts the server; the command's output goes to out, which may be
// nil. ErrRestartFailed has its exit code and last lines; ErrServerChanged says
// that nothing was done. Whether the server lets a login in is WaitForLogin's
// to find out. After pg_ctl it comes back as soon as the server says that it
// takes logins, and pg_ctl ends by itself within 0.1 s.
//
// The end of ctx interrupts a command of the user's. A pg_ctl that has begun
// is not cut in half, which would leave the server down: Apply comes back with
// ctx.Err() and pg_ctl finishes by itself.
func (r Restart) Apply(ctx context.Context, out io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.prepare == nil {
		return ErrNoRestart
	}
	if r.check != nil {
		if err := r.check(); err != nil {
			return err
		}
	}
	if r.wake != nil {
		if err := r.wake(); err != nil {
			return err
		}
	}
	if out == nil {
		out = io.Discard
	}
	if r.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.limit)
		defer cancel()
	}
	return runRestart(ctx, r.prepare(), out, r.finishes, r.ready)
}

// Resume is Apply for a server that a restart left down. ErrServerChanged: one
// runs there.
func (r Restart) Resume(ctx context.Context, out io.Writer) error {
	r.check, r.wake = r.down, nil
	return r.Apply(ctx, out)
}
