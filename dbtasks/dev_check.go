package dbtasks

import (
	"context"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
	"github.com/pgrunbook/pgrunbook/dbtasks/screen"
)

// Check goes through the prevention checklist over the project's own code and settings.
//
// It runs none of the code and changes nothing. Exit 0: nothing is wrong, though something may
// not be told. Exit 1: something is wrong; each with its place and the line to write instead.
func (Dev) Check(
	ctx context.Context,
	json *bool, // one JSON object on standard output
) error {
	return target{name: "dev:check", json: isSet(json), flags: []string{"json"}, anyway: true}.run(ctx, func(ctx context.Context, d *runbook.Deps) (result, error) {
		report, err := runbook.Check(ctx, d, runbook.CheckOptions{Settings: settingsErr()})
		return result{report: report, text: func(p *screen.Printer) { p.Check(report) }, exit: exitOf(report.OK), why: "dev:check: something is wrong, see above"}, err
	})
}
