package runbook

import (
	"context"
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// refusedReadOnly is the refusal of whatever would end, stop, restart or write
// something where DBTASKS_READONLY is set; its details are the plan where the
// report does not have it.
func refusedReadOnly(deps *Deps, target string, plan ...string) error {
	return &Failure{Exit: ExitRefused, Code: "refused_readonly", Details: plan,
		Message: fmt.Sprintf("Refused by %s: %s only says what it would do; nothing was touched.", deps.Config.Origin(settings.ReadOnlyVar), target),
		Next:    "ask whoever set it; db:test, db:who, db:monitor, db:limits and dev:check look and touch nothing"}
}

// IsReadOnly tells whether an error is that refusal: the report beside it has
// the plan.
func IsReadOnly(err error) bool {
	f := AsFailure(err)
	return f != nil && f.Code == "refused_readonly"
}

// planOfStart is what dev:start would do.
func planOfStart(ctx context.Context, deps *Deps, o StartOptions, command string) ([]string, error) {
	var plan []string
	if o.Replace {
		stop, err := planStop(ctx, deps, StopOptions{})
		if err != nil {
			return nil, err
		}
		for _, item := range stop.Plan {
			plan = append(plan, "would stop "+describe(item))
		}
	}
	clean, err := planOfCleanup(ctx, deps, "dev:start")
	return append(plan, clean, "would run: "+command), err
}

// planOfCleanup is what the cleanup before a start or a test would do, in a line.
func planOfCleanup(ctx context.Context, deps *Deps, caller string) (string, error) {
	r, err := Cleanup(ctx, deps, CleanupOptions{Spare: SpareProject, Caller: caller, Dry: true})
	if f := AsFailure(err); f != nil && f.Exit != ExitRefused {
		return "", err
	}
	return fmt.Sprintf("would end %d idle sessions of %s", len(r.Plan), placeOf(deps.Pool.URL()).Named()), nil
}

// cleanupReadOnly is a cleanup's plan, and the refusal of the rest.
func cleanupReadOnly(ctx context.Context, deps *Deps, o CleanupOptions, plan func(CleanupOptions) (CleanupReport, error)) (CleanupReport, error) {
	began := time.Now()
	o.Dry = true
	r, err := plan(o)
	if err != nil {
		return r, err
	}
	r.OK, r.ElapsedMS = false, time.Since(began).Milliseconds()
	return r, refusedReadOnly(deps, o.Caller)
}
