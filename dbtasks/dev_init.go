package dbtasks

import (
	"context"
	"os"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Init puts the solution into a SvelteKit, Vite or Next.js project with Prisma or node-postgres.
//
// The runbook's magefile and wrappers, npm scripts, the pool limit, a client module that survives
// hot reload, the settings of Vite and Vitest. What exists is never overwritten: lines are added
// where that changes nothing else, and shown where it would. A second run has nothing to do.
// DBTASKS_SOURCE names your clone of this module where it can't be told.
func (Dev) Init(
	ctx context.Context,
	dry *bool, // print the plan; write nothing
) error {
	return target{name: "dev:init"}.run(ctx, func(ctx context.Context, d *runbook.Deps) (result, error) {
		executable, err := os.Executable()
		if err != nil {
			executable = "" // then the source is told from elsewhere
		}
		report, err := runbook.Init(ctx, d, runbook.InitOptions{Dry: isSet(dry), Source: os.Getenv("DBTASKS_SOURCE"), Executable: executable})
		return result{report: report, text: func(p *screen.Printer) { p.Init(report) }, plan: report, exit: exitOf(report.OK)}, err
	})
}
