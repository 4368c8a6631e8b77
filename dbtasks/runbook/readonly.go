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
func refusedReadOnly(rb *Runbook, target string, plan ...string) error {
	return &Failure{Exit: ExitRefused, Code: "refused_readonly", Details: plan,
		Message: fmt.Sprintf("Refused by %s: %s only says what it would do; nothing was touched.", rb.cfg.Origin(settings.ReadOnlyVar), target),
		Next:    "ask whoever set it; db:test, db:who, db:monitor, db:limits and dev:check look and touch nothing"}
}

// IsReadOnly tells whether an error is that refusal: the report beside it has
// the plan.
func IsReadOnly(err error) bool {
	f := AsFailure(err)
	return f != nil && f.Code == "refused_readonly"
}

// planOfStart is what dev:start would do.
func planOfStart(ctx context.Context, rb *Runbook, o StartOptions, command string) ([]string, error) {
	var plan []string
	if o.Replace {
		stop, err := planStop(ctx, rb, StopOptions{})
		if err != nil {
			return nil, err
		}
		for _, item := range stop.Plan {
			plan = append(plan, "would stop "+describe(item))
		}
	}
	clean, err := planOfCleanup(ctx, rb, "dev:start")
	return append(plan, clean, "would run: "+command), err
}

// planOfCleanup is what the cleanup before a start or a test would do, in a line.
func planOfCleanup(ctx context.Context, rb *Runbook, caller string) (string, error) {
	r, err := rb.Cleanup(ctx, CleanupOptions{Spare: SpareProject, Caller: caller, Dry: true})
	if f := AsFailure(err); f != nil && f.Exit != ExitRefused {
		return "", err
	}
	return fmt.Sprintf("would end %d idle sessions of %s", len(r.Plan), placeOf(rb.pool.URL()).Named()), nil
}

// cleanupReadOnly is a cleanup's plan, and the refusal of the rest.
func cleanupReadOnly(ctx context.Context, rb *Runbook, o CleanupOptions, plan func(CleanupOptions) (CleanupReport, error)) (CleanupReport, error) {
	began := time.Now()
	o.Dry = true
	r, err := plan(o)
	if err != nil {
		return r, err
	}
	r.OK, r.ElapsedMS = false, time.Since(began).Milliseconds()
	return r, refusedReadOnly(rb, o.Caller)
}
