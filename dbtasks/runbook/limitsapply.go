package runbook

import (
	"context"
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
)

// applyRaise writes, restarts and asks again. Both sessions end with it.
func applyRaise(ctx context.Context, deps *Deps, a, writer *access, r *LimitsReport) error {
	plan := r.Raise
	if err := pgops.SetMaxConnections(ctx, writer.conn, plan.New); err != nil {
		return &Failure{Exit: ExitNotDone, Code: "not_permitted", Message: "max_connections was not written: " + firstWords(err), Next: deps.Command("db:limits"), Err: err}
	}
	a.release()
	if writer != a {
		writer.release()
	}
	a.release, writer.release = func() {}, func() {}
	deps.Pool.Close()
	err := plan.restart.Apply(ctx, deps.Progress)
	if ctx.Err() != nil {
		return &Failure{Exit: ExitNotDone, Code: "interrupted", Message: fmt.Sprintf("Interrupted: max_connections = %d is written, and holds from the restart, which may be under way.", plan.New),
			Next: deps.Command("db:limits"), Err: ctx.Err()}
	}
	if err == nil {
		var s pgops.Server
		if s, err = askAgain(ctx, deps, restartTimeout); err == nil && s.Slots.Max == plan.New {
			plan.Done, r.OK, r.Slots = true, true, s.Slots
			r.Usable, r.Free = s.Slots.Usable(), s.Slots.Free()
			r.Sources, r.Processes, r.Wanted, r.Available, r.Advice = []Source{}, 0, 0, s.Slots.Free(), []Advice{}
			return nil
		}
		if err == nil {
			err = fmt.Errorf("it still says max_connections = %d", s.Slots.Max)
		}
	}
	return undoRaise(ctx, deps, plan, err)
}

// askAgain logs in afresh, through a reserved slot where leaks took the others
// again at once.
func askAgain(ctx context.Context, deps *Deps, patience time.Duration) (pgops.Server, error) {
	var s pgops.Server
	err := pgops.Retry(ctx, patience, func(ctx context.Context) error {
		a, err := open(ctx, deps, openOptions{caller: "db:limits"})
		if err != nil {
			return err
		}
		defer a.release()
		s = a.server
		return nil
	})
	return s, err
}

// undoRaise takes the written value back: over SQL where the server lets a
// login in, else in the file, and starts the server again.
func undoRaise(ctx context.Context, deps *Deps, plan *Raise, why error) error {
	f := &Failure{Exit: ExitNotDone, Code: "not_raised", Message: fmt.Sprintf("max_connections was not raised: %s", firstWords(why)), Err: why}
	if a, err := open(ctx, deps, openOptions{caller: "db:limits"}); err == nil {
		defer func() { a.release() }()
		limits, err := pgops.AskLimits(ctx, a.conn, a.server, a.server.Role, a.server.Database)
		writer := a
		if err == nil {
			writer, err = raiseLogin(ctx, deps, a, limits)
		}
		if err == nil {
			if writer != a {
				defer func() { writer.release() }()
			}
			before := 0
			if plan.wasInSQL {
				before = plan.Old
			}
			if err = pgops.SetMaxConnections(ctx, writer.conn, before); err == nil {
				f.Message += fmt.Sprintf(" (undone; the server runs with %d)", a.server.Slots.Max)
				f.Next = deps.Command("db:limits")
				return f
			}
		}
	}
	if plan.auto == nil {
		f.Next = fmt.Sprintf("remove the line \"max_connections = '%d'\" from postgresql.auto.conf in the data directory, then: %s", plan.New, plan.Restart)
		return f
	}
	if err := plan.auto.Restore(); err != nil {
		f.Details = append(f.Details, "could not be undone: "+err.Error())
		f.Next = fmt.Sprintf("remove the line \"max_connections = '%d'\" from %s, then: %s", plan.New, plan.auto.Path, plan.Restart)
		return f
	}
	f.Details = append(f.Details, plan.auto.Path+" is as it was")
	deps.progress("undone in %s; starting PostgreSQL again: %s", plan.auto.Path, plan.Restart)
	err := plan.restart.Resume(ctx, deps.Progress)
	if err == nil {
		if s, askErr := askAgain(ctx, deps, restartTimeout); askErr == nil {
			f.Message += fmt.Sprintf(" (undone; the server is up again, with %d)", s.Slots.Max)
			f.Next = deps.Command("db:limits")
			return f
		} else {
			err = askErr
		}
	}
	f.Message += "; the server is down"
	f.Details = append(f.Details, "it did not start again: "+firstWords(err))
	f.Next = plan.Restart
	return f
}
