package dbtasks

import (
	"context"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen/chart"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Verify proves whether hot reload leaks: runs the dev server, reloads, counts.
//
// The modules that make the database client are changed for a moment so that the dev server
// evaluates them again; they are as they were afterwards, whatever ends the run. Exit 0: reloads
// leave nothing behind. Exit 1: they do, or nothing could be proven.
func (Dev) Verify(
	ctx context.Context,
	reloads *int, // how often the client module is evaluated again (default 10)
	url *string, // a page of a dev server that runs already, or a path (default: start one, ask for /)
	max *int, // the proof ends at so many sessions above the base line (default 10)
	json *bool, // one JSON object on standard output
	svg *string, // write the counts as a picture into this file
) error {
	return target{name: "dev:verify", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		file, err := svgFile(d, or(svg, ""))
		if err != nil {
			return result{}, err
		}
		report, err := d.Verify(ctx, runbook.VerifyOptions{Reloads: or(reloads, 10), URL: or(url, ""), Max: or(max, 10)})
		if saved := file.draw(chart.OfReloads(report)); err == nil {
			err = saved
		}
		return result{report: report, text: func(p *screen.Printer) { p.Verify(report) }, exit: exitOf(report.OK), why: "dev:verify: reloads leave sessions behind, see above"}, err
	})
}
