package runbook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	// State is the folder in which it is recorded what was written, for Undo;
	// empty: nowhere.
	State string
}

// InitReport is the plan, and how far it was applied.
type InitReport struct {
	OK      bool // everything that was to be written is written
	Dry     bool
	Plan    InitPlan
	Written int
	Next    []string // the commands to go on with, in order
}

// Init puts the solution into the JavaScript project of rb. What exists is
// never overwritten: lines are added where that changes nothing else, else the
// difference is in the plan, and the report is OK all the same. A Failure with
// exit 2 or 3 wrote nothing; one with exit 1 says how far it came, and the next
// run goes on from there.
func (rb *Runbook) Init(ctx context.Context, o InitOptions) (InitReport, error) {
	r := InitReport{Dry: o.Dry}
	project, err := scaffold.Read(ctx, rb.cfg.Root)
	if err != nil {
		return r, initFailure(err)
	}
	options := scaffold.Options{Port: rb.cfg.Ports.First(), Source: func() (string, error) { return scaffold.FindSource(o.Source, o.Executable) }}
	// npm's and every other manager's place of it, links followed.
	options.Package = strings.Contains(filepath.ToSlash(o.Executable), "/node_modules/@pgrunbook/dbtasks")
	if name := filepath.Base(o.Executable); strings.TrimSuffix(name, ".exe") == "dbtasks" {
		options.Program = o.Executable
	}
	if r.Plan, err = scaffold.New(project, rb.cfg, options); err != nil {
		return r, initFailure(err)
	}
	r.Next = initNext(rb, r.Plan)
	if rb.cfg.ReadOnly && !o.Dry {
		r.Dry, r.Next = true, nil
		return r, refusedReadOnly(rb, "dev:init")
	}
	if o.Dry {
		r.OK = true
		if r.Plan.Writes() > 0 {
			r.Next = []string{rb.Command("dev:init")}
		}
		return r, nil
	}
	if o.State != "" && r.Plan.Writes() > 0 {
		if err := scaffold.Record(r.Plan, o.State); err != nil {
			rb.progress("note: -undo will not be possible: %v", err)
		}
	}
	if r.Written, err = scaffold.Apply(ctx, r.Plan); err != nil {
		message := fmt.Sprintf("Not wholly done: %s. %d of %d files are written, none of them half; the next run goes on.", scaffold.Tidy(err), r.Written, r.Plan.Writes())
		if r.Written == 0 {
			message = fmt.Sprintf("Nothing is written: %s.", scaffold.Tidy(err))
		}
		return r, &Failure{Exit: ExitNotDone, Code: "not_written", Message: message, Next: rb.Command("dev:init"), Err: err}
	}
	r.OK = true
	return r, nil
}

// initNext is what the user has to do, in order, to have it proven.
func initNext(rb *Runbook, plan scaffold.Plan) []string {
	p := plan.Project
	var next []string
	if plan.Patches() {
		next = append(next, "read the difference; to take it over: "+rb.Command("dev:init")+" | patch -p1")
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
	next = append(next, p.Run("db:test"))
	if !p.Generates() {
		next = append(next, rb.Command("dev:check")) // what the client module wants is said there
	}
	return next
}

// UndoReport is what was to be taken out again, and how far that came.
type UndoReport struct {
	OK      bool
	Dry     bool
	Undo    UndoPlan
	Changed int
}

// UndoInit takes out what Init has put into the project and nothing else: what
// was changed since is left, and named; the report is not OK then.
func (rb *Runbook) UndoInit(_ context.Context, o InitOptions) (UndoReport, error) {
	r := UndoReport{Dry: o.Dry}
	var err error
	r.Undo, err = scaffold.PlanUndo(o.State, rb.cfg.Root)
	switch {
	case errors.Is(err, scaffold.ErrNoRecord):
		return r, &Failure{Exit: ExitSettings, Code: "no_record", Message: fmt.Sprintf("Nothing is recorded that dev:init has written into %s by this user on this machine; nothing was touched.", rb.cfg.Root),
			Next: rb.Command("dev:init -dry") + " names the files that are its own"}
	case err != nil:
		return r, err
	case o.Dry:
		r.OK = true
		return r, nil
	case rb.cfg.ReadOnly:
		r.Dry = true
		return r, refusedReadOnly(rb, "dev:init -undo")
	}
	if r.Changed, err = r.Undo.Apply(); err != nil {
		return r, &Failure{Exit: ExitNotDone, Code: "not_written", Message: fmt.Sprintf("Not wholly done: %s. %d files are as they were.", scaffold.Tidy(err), r.Changed), Next: rb.Command("dev:init -undo"), Err: err}
	}
	r.OK = !slices.ContainsFunc(r.Undo.Steps, func(s scaffold.UndoStep) bool { return s.Action == scaffold.Leave })
	return r, nil
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
