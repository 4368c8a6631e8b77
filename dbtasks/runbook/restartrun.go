package runbook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

const (
	// restartTimeout bounds the wait for the first login after a restart; a
	// server that replays its log may need it.
	restartTimeout = 30 * time.Second
	// failedTimeout is for a restart that is said to have failed: the server may
	// be on its way up even so.
	failedTimeout = 2 * time.Second
)

// restartServer is the one road of dev:recover and db:limits -raise: it looks
// whether the server would start again, restarts it, and comes back when the
// server's start time is another one, it lets a login in, and what ran it runs
// it. before is the start time that the server told earlier; zero: not known.
//
// A server that it left down is started again where that works; the Failure
// says what is so.
func restartServer(ctx context.Context, rb *Runbook, caller string, plan pgserver.Restart, before time.Time) (pgops.Server, error) {
	var s pgops.Server
	if err := plan.Check(); err != nil {
		return s, notReady(rb, caller, err)
	}
	rb.progress("restarting PostgreSQL: %s (%s)", plan.Describe(), plan.Evidence)
	rb.pool.Close()
	out := io.Writer(io.Discard)
	if rb.out != nil {
		out = rb.out
	}
	done := func() {}
	if !plan.Interactive() { // it may ask for a password there
		done = rb.waiting("restarting PostgreSQL")
	}
	began := time.Now()
	err := plan.Apply(ctx, out)
	done()
	if err != nil && ctx.Err() != nil {
		return s, interrupted(rb, plan)
	}
	if err != nil {
		return s, restartFailure(rb, caller, plan, err)
	}
	s, err = askAgain(ctx, rb, caller, restartTimeout)
	if err != nil && ctx.Err() != nil {
		return s, interrupted(rb, plan)
	}
	if err != nil { // it may have come up and ended again
		if down := plan.Rescue(context.WithoutCancel(ctx), out); down != nil {
			return s, restartFailure(rb, caller, plan, down)
		}
		if s, err = askAgain(ctx, rb, caller, failedTimeout); err != nil {
			return s, withLog(plan, AsFailure(err))
		}
	}
	// Its own word on its start, where its process could not be seen. Both are
	// this machine's clock; a second is the resolution of what some tell.
	same := !before.IsZero() && s.Started.Equal(before) || before.IsZero() && !plan.Seen() && s.Started.Before(began.Add(-time.Second))
	if same {
		return s, restartFailure(rb, caller, plan, &pgserver.RestartError{State: pgserver.StateSame})
	}
	for _, note := range plan.Notes {
		rb.progress("%s", note)
	}
	return s, nil
}

// askAgain logs in afresh, through a reserved slot where leaks took the others
// again at once.
func askAgain(ctx context.Context, rb *Runbook, caller string, patience time.Duration) (pgops.Server, error) {
	var s pgops.Server
	defer rb.waiting("waiting until PostgreSQL lets a login in")()
	err := pgops.Retry(ctx, patience, func(ctx context.Context) error {
		a, err := open(ctx, rb, openOptions{caller: caller})
		if err != nil {
			return err
		}
		defer a.release()
		s = a.server
		return nil
	})
	return s, err
}

func notReady(rb *Runbook, caller string, err error) *Failure {
	f := &Failure{Exit: ExitNotDone, Code: "not_ready", Message: "PostgreSQL was not stopped: " + err.Error(), Next: "mend that (make room, or correct the settings), then: " + rb.Command(caller), Err: err}
	if errors.Is(err, pgserver.ErrServerChanged) {
		f.Code, f.Message, f.Next = "server_changed", "PostgreSQL was not restarted: "+err.Error(), rb.Command(caller)
	}
	return f
}

func interrupted(rb *Runbook, plan pgserver.Restart) *Failure {
	f := &Failure{Exit: ExitNotDone, Code: "interrupted", Message: "interrupted; PostgreSQL's restart goes on by itself.", Next: rb.Command("db:test -wait=60s"), Err: context.Canceled}
	if plan.Interactive() {
		f.Message = "interrupted; the command and what it had started were ended. Whether PostgreSQL was restarted is not known."
	}
	return f
}

// restartFailure says in one line what is so: what is down, what the server's
// log says, and the command that brings it back.
func restartFailure(rb *Runbook, caller string, plan pgserver.Restart, err error) *Failure {
	f := &Failure{Exit: ExitNotDone, Code: "restart_failed", Message: "PostgreSQL was not restarted: " + err.Error(), Next: instead(rb, plan), Err: err}
	var failed *pgserver.RestartError
	switch {
	case errors.Is(err, pgserver.ErrServerChanged):
		return notReady(rb, caller, err)
	case !errors.As(err, &failed):
	case failed.State == pgserver.StateSame:
		f.Code, f.Message = "not_restarted", "PostgreSQL was "+err.Error()+"."
	case failed.State == pgserver.StateDown:
		f.Code, f.Message, f.Next = "server_down", "PostgreSQL is down: "+trimmed(failed), failed.Back
		if failed.Fatal != "" {
			f.Next = "mend what the log says, then: " + failed.Back
		}
	case failed.State == pgserver.StateOutside:
		f.Code, f.Message, f.Next = "restarted_outside", "PostgreSQL was restarted, but "+failed.Who+" does not run it any more.", failed.Back
	case failed.State == pgserver.StateUnknown:
		f.Message = "PostgreSQL was not restarted: " + trimmed(failed) + "; whether it runs can't be seen from here"
	}
	return withLog(plan, f)
}

// trimmed is what is known of a server that is down, without saying so again.
func trimmed(e *pgserver.RestartError) string {
	switch {
	case e.Fatal != "" && e.Err != nil:
		return fmt.Sprintf("its log says %q (%s)", e.Fatal, e.Err)
	case e.Fatal != "":
		return fmt.Sprintf("its log says %q", e.Fatal)
	case e.Err != nil:
		return e.Err.Error()
	}
	return "the restart did not bring it up again"
}

// instead is what a person does where the command did not do it: never the
// same command once more.
func instead(rb *Runbook, plan pgserver.Restart) string {
	switch {
	case plan.Interactive() && plan.Instead != "":
		return "mend DBTASKS_RESTART_COMMAND in .env, or: " + plan.Instead
	case plan.Interactive():
		return "mend DBTASKS_RESTART_COMMAND in .env: " + rb.Command("dev:recover -dry") + " shows it"
	case plan.Typed != plan.Describe():
		return plan.Typed
	case plan.Log != "":
		return "look at " + plan.Log
	}
	return rb.Command("dev:recover -dry")
}

// withLog says where the server's own words are, after a restart that did not
// bring it back.
func withLog(plan pgserver.Restart, f *Failure) *Failure {
	if plan.Log != "" {
		f.Details = append(f.Details, "the server's messages: "+plan.Log)
	}
	return f
}
