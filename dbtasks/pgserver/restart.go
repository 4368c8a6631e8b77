package pgserver

import (
	"context"
	"fmt"
	"io"
	"os/exec"
)

// The kinds of restart that are known.
const (
	RestartByCommand = "command"
	RestartByPgCtl   = "pg_ctl"
)

// Restart is a plan to restart one server; PlanRestart makes it.
type Restart struct {
	Kind string // RestartByCommand or RestartByPgCtl

	line     string           // the command for people
	prepare  func() *exec.Cmd // the command to run, made anew for each Apply
	check    func() error     // is it still the server that was looked at? nil: not asked
	down     func() error     // does no server run there? nil: not asked
	finishes bool             // must not be cut in half: a context that ends does not end it
}

// detector plans one kind of restart. ok false: this server is not of the kind.
type detector func(pm Postmaster) (r Restart, ok bool, err error)

// detectors are asked in this order. Supervisors that would start the server
// again by themselves belong before pg_ctl, which fits every server.
var detectors = []detector{planPgCtl}

// PlanRestart says how this server is restarted: with command (the value of
// DBTASKS_RESTART_COMMAND) when there is one, else in the way that fits pm,
// which is nil when the server is not known. ErrNoRestart when there is none.
func PlanRestart(pm *Postmaster, command string) (Restart, error) {
	if command != "" {
		return planCommand(command), nil
	}
	if pm == nil {
		return Restart{}, fmt.Errorf("%w: its process is not known", ErrNoRestart)
	}
	for _, detect := range detectors {
		if r, ok, err := detect(*pm); ok || err != nil {
			return r, err
		}
	}
	return Restart{}, fmt.Errorf("%w: no pg_ctl was found for process %d", ErrNoRestart, pm.PID)
}

// Describe is the command that Apply runs, passwords hidden.
func (r Restart) Describe() string { return r.line }

// String is Describe: nothing else of it is for people.
func (r Restart) String() string { return r.line }

// GoString is Describe.
func (r Restart) GoString() string { return r.line }

// Apply restarts the server; the command's output goes to out, which may be
// nil. ErrRestartFailed has its exit code and last lines; ErrServerChanged says
// that nothing was done. Whether the server lets a login in is WaitForLogin's
// to find out.
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
	if out == nil {
		out = io.Discard
	}
	return runRestart(ctx, r.prepare(), out, !r.finishes)
}

// Resume is Apply for a server that a restart left down. ErrServerChanged: one
// runs there.
func (r Restart) Resume(ctx context.Context, out io.Writer) error {
	r.check = r.down
	return r.Apply(ctx, out)
}
