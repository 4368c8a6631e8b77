package dbtasks

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Init puts the solution into a JavaScript project.
//
// The runbook's magefile and wrappers, npm scripts, the pool limit in the form of the project's
// driver; for SvelteKit, Vite and Next.js with Prisma or node-postgres also a client module that
// survives hot reload, and the settings of Vite and Vitest. What exists is never overwritten: lines are added
// where that changes nothing else, and shown where it would. A second run has nothing to do.
// DBTASKS_SOURCE names your clone of this module where it can't be told.
func (Dev) Init(
	ctx context.Context,
	dry *bool, // print the plan; write nothing
	undo *bool, // take out what it has put in, and nothing else
) error {
	return target{name: "dev:init"}.run(ctx, func(ctx context.Context, d *runbook.Runbook) (result, error) {
		state := stateFolder()
		if isSet(undo) {
			report, err := d.UndoInit(ctx, runbook.InitOptions{Dry: isSet(dry), State: state})
			return result{report: report, text: func(p *screen.Printer) { p.UndoInit(report) }, plan: report, exit: exitOf(report.OK), why: "dev:init -undo: what was changed since is left, see above"}, err
		}
		executable, err := os.Executable()
		if err != nil {
			executable = "" // then the source is told from elsewhere
		}
		report, err := d.Init(ctx, runbook.InitOptions{Dry: isSet(dry), Source: os.Getenv("DBTASKS_SOURCE"), Executable: executable, State: state})
		return result{report: report, text: func(p *screen.Printer) { p.Init(report) }, plan: report, exit: exitOf(report.OK)}, err
	})
}

// stateFolder is where this tool keeps what it has to know later, by the
// conventions of the system; empty where there is no place for it.
func stateFolder() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "dbtasks")
	}
	if runtime.GOOS == "linux" {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, ".local", "state", "dbtasks")
		}
		return ""
	}
	if dir, err := os.UserConfigDir(); err == nil {
		return filepath.Join(dir, "dbtasks")
	}
	return ""
}
