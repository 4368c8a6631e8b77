package dbtasks

import (
	"context"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen/live"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Monitor watches the sessions of this database: a live screen on a terminal, a line a sample elsewhere.
//
// It holds one session for the whole run and ends with -for, -once, q or Ctrl+C. The screen's
// keys are shown by "?". Exit 1 when the peak reached -warn, or when the server let nobody in.
func (Db) Monitor(
	ctx context.Context,
	every *time.Duration, // between two samples (default 2s)
	For *time.Duration, // the whole run (default: until q or Ctrl+C)
	once *bool, // one table by application and state
	warn *int, // sessions at which the run fails (default DBTASKS_WARN, else 10; 0: never)
	json *bool, // NDJSON: one object a sample
	svg *string, // write the history as a picture into this file
) error {
	return target{name: "db:monitor", json: isSet(json)}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		o := runbook.MonitorOptions{Every: or(every, 2*time.Second), For: or(For, 0), Once: isSet(once), Warn: or(warn, d.Warn())}
		file, err := svgFile(d, or(svg, ""))
		if err != nil {
			return result{}, err
		}
		p := screen.New(os.Stdout)
		report, err := monitor(ctx, d, o, isSet(json), p)
		if saved := file.save(report.History); err == nil {
			err = saved
		}
		return result{report: nil, text: func(p *screen.Printer) { p.Monitor(report) }, exit: exitOf(report.OK), undelivered: p.Err()}, err
	})
}

// monitor shows the run where it can be seen best: live on a terminal that is
// both read from and written to, as lines or JSON elsewhere.
func monitor(ctx context.Context, d *runbook.Runbook, o runbook.MonitorOptions, json bool, p *screen.Printer) (runbook.MonitorReport, error) {
	if !json && !o.Once && screen.IsTerminal(os.Stdin) && screen.IsTerminal(os.Stdout) && live.Drawable(os.Stdout) {
		return d.MonitorWith(ctx, o, func(ctx context.Context, w *runbook.Watch) error {
			return live.Run(ctx, w, live.Options{In: os.Stdin, Out: os.Stdout, Environ: os.Environ(), Every: o.Every, For: o.For})
		})
	}
	return d.Monitor(ctx, o, func(s runbook.MonitorSample) {
		switch {
		case json:
			p.JSON(s)
		case o.Once:
			p.Table(s)
		default:
			p.Sample(s)
		}
	})
}
