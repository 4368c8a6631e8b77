package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
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
	done := deps.waiting("restarting PostgreSQL")
	err := plan.restart.Apply(ctx, deps.Progress)
	done()
	if ctx.Err() != nil {
		return &Failure{Exit: ExitNotDone, Code: "interrupted", Message: fmt.Sprintf("Interrupted: max_connections = %d is written, and holds from the restart, which may be under way.", plan.New),
			Details: []string{"to take it back: ALTER SYSTEM RESET max_connections;"}, Next: deps.Command("db:limits"), Err: ctx.Err()}
	}
	patience := restartTimeout
	if err != nil {
		patience = failedTimeout
	}
	s, askErr := askAgain(ctx, deps, patience)
	if askErr == nil && s.Slots.Max == plan.New { // a command that failed may have restarted it all the same
		plan.Done, r.OK, r.Slots, r.Usable, r.Free = true, true, s.Slots, s.Slots.Usable(), s.Slots.Free()
		r.Sources, r.Processes, r.Wanted, r.Available, r.Advice = []Source{}, 0, 0, r.Free, []Advice{}
		return nil
	}
	if err == nil {
		err = askErr
	}
	if err == nil {
		err = fmt.Errorf("it still says max_connections = %d", s.Slots.Max)
	}
	return undoRaise(ctx, deps, plan, err)
}

// failedTimeout is for a restart that is said to have failed: the server may
// be on its way up even so.
const failedTimeout = 2 * time.Second

// askAgain logs in afresh, through a reserved slot where leaks took the others
// again at once.
func askAgain(ctx context.Context, deps *Deps, patience time.Duration) (pgops.Server, error) {
	var s pgops.Server
	defer deps.waiting("waiting until PostgreSQL lets a login in")()
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
// login in, else in the file, and starts the server again. Ctrl+C does not
// stop it: that would leave the server down.
func undoRaise(ctx context.Context, deps *Deps, plan *Raise, why error) error {
	ctx = context.WithoutCancel(ctx)
	f := &Failure{Exit: ExitNotDone, Code: "not_raised", Message: fmt.Sprintf("max_connections was not raised: %s", firstWords(why)), Err: why}
	if a, err := open(ctx, deps, openOptions{caller: "db:limits"}); err == nil {
		defer func() { a.release() }()
		limits, err := pgops.AskLimits(ctx, a.conn, a.server, a.server.Role, a.server.Database)
		writer := a
		if err == nil {
			writer, _, err = raiseLogin(ctx, deps, a, limits)
		}
		if err == nil {
			if writer != a {
				defer func() { writer.release() }()
			}
			before := 0
			if plan.inAuto {
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
	if err == nil || errors.Is(err, pgserver.ErrServerChanged) {
		var s pgops.Server
		if s, err = askAgain(ctx, deps, restartTimeout); err == nil {
			f.Message += fmt.Sprintf(" (undone; the server is up again, with %d)", s.Slots.Max)
			f.Next = deps.Command("db:limits")
			return f
		}
	}
	f.Message += "; the server is down"
	f.Details = append(f.Details, "it did not start again: "+firstWords(err))
	f.Next = plan.Restart
	return f
}
