package runbook

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// applyRaise writes, restarts and asks again. Both sessions end with it.
func applyRaise(ctx context.Context, rb *Runbook, a, writer *access, r *LimitsReport) error {
	plan := r.Raise
	if err := pgops.SetMaxConnections(ctx, writer.conn, plan.New); err != nil {
		return &Failure{Exit: ExitNotDone, Code: "not_permitted", Message: "max_connections was not written: " + firstWords(err), Next: rb.Command("db:limits"), Err: err}
	}
	a.release()
	if writer != a {
		writer.release()
	}
	a.release, writer.release = func() {}, func() {}
	caller := fmt.Sprintf("db:limits -raise=%d", plan.New)
	s, err := restartServer(ctx, rb, caller, plan.restart, plan.started)
	if ctx.Err() != nil {
		return &Failure{Exit: ExitNotDone, Code: "interrupted", Message: fmt.Sprintf("Interrupted: max_connections = %d is written, and holds from the restart, which may be under way.", plan.New),
			Details: []string{"to take it back: ALTER SYSTEM RESET max_connections;"}, Next: rb.Command("db:limits"), Err: ctx.Err()}
	}
	if err != nil { // a command that failed may have restarted it all the same
		if again, askErr := askAgain(ctx, rb, caller, failedTimeout); askErr == nil {
			s = again
		}
	}
	var failed *pgserver.RestartError
	if errors.As(err, &failed) && failed.State == pgserver.StateOutside {
		return err // the value holds; what ran the server has to get it back
	}
	if s.Slots.Max == plan.New {
		plan.Done, r.OK, r.Slots, r.Usable, r.Free = true, true, s.Slots, s.Slots.Usable(), s.Slots.Free()
		r.Sources, r.Processes, r.Wanted, r.Available, r.Advice = []Source{}, 0, 0, r.Free, []Advice{}
		return nil
	}
	if err == nil {
		err = fmt.Errorf("it still says max_connections = %d", s.Slots.Max)
	}
	return undoRaise(ctx, rb, plan, err)
}

// undoRaise takes the written value back: over SQL where the server lets a
// login in, else in the file, and starts the server again. Ctrl+C does not
// stop it: that would leave the server down.
func undoRaise(ctx context.Context, rb *Runbook, plan *Raise, why error) error {
	ctx = context.WithoutCancel(ctx)
	caller := fmt.Sprintf("db:limits -raise=%d", plan.New)
	back := plan.restart.BackLine()
	f := &Failure{Exit: ExitNotDone, Code: "not_raised", Message: fmt.Sprintf("max_connections was not raised: %s", firstWords(why)), Err: why}
	if a, err := open(ctx, rb, openOptions{caller: "db:limits"}); err == nil {
		defer func() { a.release() }()
		limits, err := pgops.AskLimits(ctx, a.conn, a.server, a.server.Role, a.server.Database)
		writer := a
		if err == nil {
			writer, _, err = raiseLogin(ctx, rb, a, limits)
		}
		if err == nil {
			if writer != a {
				defer func() { writer.release() }()
			}
			if written, err := pgops.WrittenMaxConnections(ctx, writer.conn); err == nil && written != plan.New {
				f.Details = append(f.Details, fmt.Sprintf("nothing is undone: somebody else has written max_connections meanwhile (now %d; 0: taken out)", written))
				f.Next = rb.Command("db:limits")
				return f
			}
			before := 0
			if plan.inAuto {
				before = plan.Old
			}
			if err = pgops.SetMaxConnections(ctx, writer.conn, before); err == nil {
				f.Message += fmt.Sprintf(" (undone; the server runs with %d)", a.server.Slots.Max)
				f.Next = rb.Command("db:limits")
				return f
			}
		}
	}
	if plan.auto == nil {
		f.Next = fmt.Sprintf("remove the line \"max_connections = '%d'\" from postgresql.auto.conf in the data directory, then: %s", plan.New, back)
		return f
	}
	if err := plan.auto.Restore(); err != nil {
		f.Details = append(f.Details, "could not be undone: "+err.Error())
		f.Next = fmt.Sprintf("remove the line \"max_connections = '%d'\" from %s, then: %s", plan.New, plan.auto, back)
		return f
	}
	f.Details = append(f.Details, plan.auto.String()+" is as it was")
	rb.progress("undone in %s; starting PostgreSQL again: %s", plan.auto, back)
	err := plan.restart.Resume(ctx, rb.out)
	if err == nil || errors.Is(err, pgserver.ErrServerChanged) {
		var s pgops.Server
		if s, err = askAgain(ctx, rb, caller, restartTimeout); err == nil {
			f.Message += fmt.Sprintf(" (undone; the server is up again, with %d)", s.Slots.Max)
			f.Next = rb.Command("db:limits")
			return f
		}
	}
	f.Message += "; the server is down"
	f.Details = append(f.Details, "it did not start again: "+firstWords(err))
	f.Next = back
	return withLog(plan.restart, f)
}
