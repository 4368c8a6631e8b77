package dbtasks

import (
	"context"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Test logs in afresh and says who, where, version, latency and slots, or why not.
//
// It logs in with DATABASE_URL as the application does, and with DIRECT_URL
// where that is set. Exit 0: it could log in. Exit 1: it could not; the cause and the
// next step are said. Exit 2: a setting is wrong.
func (Db) Test(
	ctx context.Context,
	wait *time.Duration, // retry until it answers, at most this long (default: one try)
	json *bool, // one JSON object on standard output
) error {
	return target{name: "db:test", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		report, err := d.Test(ctx, runbook.TestOptions{Wait: or(wait, 0)})
		return result{report: report, text: func(p *screen.Printer) { p.Test(report) }, exit: exitOf(report.OK)}, err
	})
}

// Cleanup ends the idle sessions of this database.
//
// Exit 0: all that was to end is gone. Exit 1: something is left, and said. Exit 2: a setting
// or flag is wrong. Exit 3: the server is not proven to be this machine's.
func (Db) Cleanup(
	ctx context.Context,
	force *bool, // every client session of this database, not only idle ones
	idle *time.Duration, // only sessions that have been idle, or in the state of -state, at least this long
	state *string, // only sessions in this state: idle, idle_in_transaction or active
	pid *int, // only this session, whatever it does: a pid of db:who
	cancel *bool, // cancel running statements, and leave the sessions
	dry *bool, // say what would end and why; touch nothing
	remote *string, // the database's name: allow a server that is not this machine's, and end only this role's sessions
	json *bool, // one JSON object on standard output
) error {
	return target{name: "db:cleanup", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		o := runbook.CleanupOptions{Force: isSet(force), Idle: or(idle, 0), State: or(state, ""), PID: or(pid, 0), Cancel: isSet(cancel), Dry: isSet(dry), Remote: or(remote, "")}
		if force == nil && npmForce(os.Environ(), os.Getppid()) {
			o.Force = true
			say("npm run … --force: counts as -force (npm keeps the flag to itself and sets npm_config_force)")
		}
		report, err := d.Cleanup(ctx, o)
		return result{report: report, text: func(p *screen.Printer) { p.Cleanup(report) }, plan: report, exit: exitOf(report.OK)}, err
	})
}

// Who says who holds the server's connections: which process of which project.
//
// It looks through a reserved slot when the ordinary ones are taken, and names the local
// processes by their sockets alone when there is none at all. It ends nothing.
func (Db) Who(
	ctx context.Context,
	json *bool, // one JSON object on standard output
) error {
	return target{name: "db:who", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		report, err := d.Who(ctx)
		return result{report: report, text: func(p *screen.Printer) { p.Who(report) }, exit: exitOf(report.OK)}, err
	})
}
