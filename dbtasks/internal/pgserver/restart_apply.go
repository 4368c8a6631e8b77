package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

var selfPID = os.Getpid()

// ServerState is what became of a server that a restart was asked for.
type ServerState string

// The states.
const (
	StateSame    ServerState = "same"    // it runs, and its start time is the same: it was not restarted
	StateDown    ServerState = "down"    // it does not run, and could not be brought back
	StateOutside ServerState = "outside" // a new one runs, and what ran the old one does not run it
	StateUnknown ServerState = "unknown" // the command failed, and whether the server runs can't be seen
)

// RestartError is an ErrRestartFailed with what is so now.
type RestartError struct {
	State ServerState
	Err   error  // the command's, or that the disk is full; nil: the command said that all went well
	Fatal string // the last FATAL of the server's log since the restart began; "": none, or the log can't be read
	Back  string // the command that brings the server up; "" where it is up
	Who   string // what ran the server (StateOutside)
}

func (e *RestartError) Error() string {
	var text string
	switch e.State {
	case StateSame:
		text = "not restarted: the server's start time is the same"
	case StateDown:
		text = "the server is down"
	case StateOutside:
		text = "a new server runs, but " + e.Who + " does not run it any more"
	default:
		text = ErrRestartFailed.Error()
	}
	if e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	if e.Fatal != "" {
		text += `; its log says: "` + e.Fatal + `"`
	}
	return text
}

// Unwrap is ErrRestartFailed and the command's error.
func (e *RestartError) Unwrap() []error { return []error{ErrRestartFailed, e.Err} }

// Apply restarts the server and sees that it was: the postmaster is another
// one, and what ran it runs it. Whether it lets a login in is WaitForLogin's to
// find out, and Rescue's where it does not. The commands' output goes to out,
// which may be nil. A server that the restart left down is started again at
// once, where that works.
//
// ErrServerChanged: it is not the server any more that was planned for, and
// nothing was done. Else the error is a *RestartError.
//
// The end of ctx interrupts a command of the user's. Every other that has begun
// is not cut in half, which would leave the server down: Apply comes back with
// ctx.Err() and the command finishes by itself.
func (r Restart) Apply(ctx context.Context, out io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(r.Run.Argv) == 0 {
		return ErrNoRestart
	}
	if r.Subject.PID != 0 {
		if err := r.Same(); err != nil {
			return err
		}
	}
	if r.Subject.Files != nil {
		if err := wake(*r.Subject.Files); err != nil {
			return err
		}
	}
	if out == nil {
		out = io.Discard
	}
	began := r.mark()
	var ready func() bool
	if r.Way == WayPgCtl {
		ready = func() bool { return takesLogins(*r.Subject.Files) }
	}
	err := r.Run.run(ctx, out, ready)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		if r.Run.Users && r.look().down() { // cut short between its stop and its start
			rescue, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptGrace)
			defer cancel()
			_ = r.bringBack(rescue, out)
		}
		return err
	}
	return r.settle(ctx, out, err, began)
}

// run runs the command within restartDeadline; a user's own has none.
func (c Command) run(ctx context.Context, out io.Writer, ready func() bool) error {
	if !c.Users {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, restartDeadline)
		defer cancel()
	}
	return runRestart(ctx, c.exec(), out, !c.Users, ready)
}

const (
	// settleTime is how long a new server may take to show itself after a
	// command that said it was done: some only ask for it (pm2).
	settleTime = 5 * time.Second
	// failedTime is the same after a command that failed.
	failedTime = 500 * time.Millisecond
	// startingTime is how long a server may take to replay its log.
	startingTime = 30 * time.Second
	lookEvery    = 20 * time.Millisecond
)

// settle looks what became of the server once the command has ended with err.
func (r Restart) settle(ctx context.Context, out io.Writer, err error, began logMark) error {
	patience := settleTime
	if err != nil {
		patience = failedTime
	}
	v := r.await(ctx, patience)
	if v.down() {
		if back := r.bringBack(ctx, out); back != nil {
			return &RestartError{State: StateDown, Err: r.orFull(err), Fatal: r.lastFatal(began), Back: r.BackLine()}
		}
		v = r.look()
		fmt.Fprintf(out, "the restart left the server down; it was brought back\n")
	}
	switch {
	case v.same:
		return &RestartError{State: StateSame, Err: err}
	case !v.known && err != nil:
		return &RestartError{State: StateUnknown, Err: err, Fatal: r.lastFatal(began), Back: r.BackLine()}
	case v.up && !r.kept(v):
		return &RestartError{State: StateOutside, Err: err, Who: r.keeper.words, Back: r.Typed}
	}
	return nil
}

// Rescue is for a server that lets nobody in after Apply was content: where it
// has ended since, it is started again. nil: it runs.
func (r Restart) Rescue(ctx context.Context, out io.Writer) error {
	if out == nil {
		out = io.Discard
	}
	if !r.look().down() {
		return nil
	}
	return r.backOrDown(ctx, out)
}

// Resume starts a server that is down, as after a failed restart. ErrServerChanged:
// one runs there, and is ready. One that fails at its start runs for a moment,
// too, and under a supervisor again and again: that one is down.
func (r Restart) Resume(ctx context.Context, out io.Writer) error {
	if out == nil {
		out = io.Discard
	}
	if r.look().up && r.await(ctx, failedTime).up {
		return fmt.Errorf("%w: it runs", ErrServerChanged)
	}
	return r.backOrDown(ctx, out)
}

func (r Restart) backOrDown(ctx context.Context, out io.Writer) error {
	if err := r.bringBack(ctx, out); err != nil {
		return &RestartError{State: StateDown, Err: r.orFull(err), Fatal: r.lastFatal(logMark{}), Back: r.BackLine()}
	}
	return nil
}

// orFull is why a server is down: that its disk is full, where that is so. Its
// log may be on that disk, and then has no word of it.
func (r Restart) orFull(err error) error {
	if full := r.missingRoom(); full != nil {
		return full
	}
	return err
}

// startLimit is how long systemd refuses to start a unit that failed too
// often, where reset-failed is not allowed (DefaultStartLimitIntervalSec, 10 s).
const startLimit = 11 * time.Second

// bringBack starts a server that is down. nil: it runs.
func (r Restart) bringBack(ctx context.Context, out io.Writer) error {
	if len(r.Back) == 0 {
		return ErrNoRestart
	}
	var err, first error
	for i, c := range r.Back {
		if err = c.run(ctx, out, nil); i == 0 {
			first = err
		}
	}
	if v := r.await(ctx, failedTime); v.up {
		return nil
	}
	if r.Way != WaySystemd || first == nil {
		return orDown(err)
	}
	// sudo allows the restart alone, which the start limit may hold up.
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline) && ctx.Err() == nil; {
		if err = r.Run.run(ctx, out, nil); err == nil && r.await(ctx, failedTime).up {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return orDown(err)
}

func orDown(err error) error {
	if err == nil {
		err = errors.New("it was started, and did not stay up")
	}
	return err
}
