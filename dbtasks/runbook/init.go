package runbook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/scaffold"
)

// InitOptions are the flags of dev:init.
type InitOptions struct {
	Dry bool // make the plan; write nothing
	// Source is the folder of the dbtasks module, for the replace in
	// magefiles/go.mod; empty: told from this program (scaffold.FindSource).
	Source string
	// Executable is this program's file. A compiled bin/dbtasks is copied into
	// the project, so that the wrappers need no Go; others are not.
	Executable string
}

// InitReport is the plan, and how far it was applied.
type InitReport struct {
	OK      bool // everything that was to be written is written
	Dry     bool
	Plan    scaffold.Plan
	Written int
	Next    []string // the commands to go on with, in order
}

// Init puts the solution into the JavaScript project of deps. What exists is
// never overwritten: lines are added where that changes nothing else, else the
// difference is in the plan, and the report is OK all the same. A Failure with
// exit 2 or 3 wrote nothing; one with exit 1 says how far it came, and the next
// run goes on from there.
func Init(ctx context.Context, deps *Deps, o InitOptions) (InitReport, error) {
	r := InitReport{Dry: o.Dry}
	project, err := scaffold.Read(ctx, deps.Config.Root)
	if err != nil {
		return r, initFailure(err)
	}
	options := scaffold.Options{Port: deps.Config.Ports.First(), Source: func() (string, error) { return scaffold.FindSource(o.Source, o.Executable) }}
	// npm's and every other manager's place of it, links followed.
	options.Package = strings.Contains(filepath.ToSlash(o.Executable), "/node_modules/@pgrunbook/dbtasks")
	if name := filepath.Base(o.Executable); strings.TrimSuffix(name, ".exe") == "dbtasks" {
		options.Program = o.Executable
	}
	if r.Plan, err = scaffold.New(project, deps.Config, options); err != nil {
		return r, initFailure(err)
	}
	r.Next = initNext(deps, r.Plan)
	if deps.Config.ReadOnly && !o.Dry {
		r.Dry, r.Next = true, nil
		return r, refusedReadOnly(deps, "dev:init")
	}
	if o.Dry {
		r.OK = true
		if r.Plan.Writes() > 0 {
			r.Next = []string{deps.Command("dev:init")}
		}
		return r, nil
	}
	if r.Written, err = scaffold.Apply(ctx, r.Plan); err != nil {
		message := fmt.Sprintf("Not wholly done: %s. %d of %d files are written, none of them half; the next run goes on.", scaffold.Tidy(err), r.Written, r.Plan.Writes())
		if r.Written == 0 {
			message = fmt.Sprintf("Nothing is written: %s.", scaffold.Tidy(err))
		}
		return r, &Failure{Exit: ExitNotDone, Code: "not_written", Message: message, Next: deps.Command("dev:init"), Err: err}
	}
	r.OK = true
	return r, nil
}

// initNext is what the user has to do, in order, to have it proven.
func initNext(deps *Deps, plan scaffold.Plan) []string {
	p := plan.Project
	var next []string
	if plan.Patches() {
		next = append(next, "read the difference; to take it over: "+deps.Command("dev:init")+" | patch -p1")
	}
	if len(plan.Install) > 0 {
		next = append(next, p.Add(plan.Install...))
	}
	if !plan.HasURL {
		if _, err := os.Stat(filepath.Join(p.Root, ".env")); err == nil {
			next = append(next, "write DATABASE_URL into .env, as .env.example has it")
		} else {
			next = append(next, "cp .env.example .env, and write your own DATABASE_URL into it")
		}
	}
	return append(next, p.Run("db:test"))
}

func initFailure(err error) error {
	var p *scaffold.ProjectError
	if !errors.As(err, &p) {
		return err
	}
	f := &Failure{Exit: ExitSettings, Code: "project", Message: p.Message, Next: p.Next, Err: err}
	if errors.Is(err, scaffold.ErrOutside) {
		f.Exit, f.Code = ExitRefused, "outside_project"
	}
	return f
}
