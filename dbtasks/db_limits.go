package dbtasks

import (
	"context"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Limits says how many sessions there may be, who wants how many, and what would help.
//
// It only looks. With -raise it sets max_connections and restarts the server, which ends all
// sessions of all its databases; when the server does not come back, that is undone.
func (Db) Limits(
	ctx context.Context,
	raise *int, // set max_connections to this many (ALTER SYSTEM, restart, verify)
	timeout *time.Duration, // end this role's sessions that are idle in this database for so long (ALTER ROLE; 0: take it back)
	json *bool, // one JSON object on standard output
) error {
	return target{name: "db:limits", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		report, err := d.Limits(ctx, runbook.LimitsOptions{Raise: raise, Timeout: timeout})
		return result{report: report, text: func(p *screen.Printer) { p.Limits(report) }, exit: exitOf(report.OK)}, err
	})
}
