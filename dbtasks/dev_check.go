package dbtasks

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Check goes through the prevention checklist over the project's own code and settings.
//
// It runs none of the code and changes nothing. Exit 0: nothing is wrong, and all could be told.
// Exit 1: something is wrong or can't be told; each with its place and the line to write instead.
func (Dev) Check(
	ctx context.Context,
	json *bool, // one JSON object on standard output
) error {
	return target{name: "dev:check", json: isSet(json), anyway: true}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		defer collectLess()()
		report, err := d.Check(ctx, runbook.CheckOptions{})
		return result{report: report, text: func(p *screen.Printer) { p.Check(report) }, exit: exitOf(report.OK), why: "dev:check: something is wrong or can't be told, see above"}, err
	})
}

// collectLess has the garbage collector wait for more: the syntax trees live
// until the end, and looking them through again and again takes a third of the
// processor time. The run stays below 1 GB. What GOGC or GOMEMLIMIT say comes
// first.
func collectLess() (restore func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	limit, percent := debug.SetMemoryLimit(768<<20), debug.SetGCPercent(400)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
