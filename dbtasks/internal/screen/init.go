package screen

import (
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/scaffold"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Init shows the plan and how far it was applied. The differences are indented
// alike, so that patch -p1 takes the whole output.
func (p *Printer) Init(r runbook.InitReport) {
	project := r.Plan.Project
	what := string(project.Kind) + " with " + driver(project)
	writes, differs := r.Plan.Writes(), r.Plan.Differs()
	left := ""
	if differs > 0 {
		left = ", " + plural(differs, "difference") + " left to you"
	}
	switch {
	case writes == 0 && differs == 0:
		p.outcome(true, "Nothing to do: %s has all of it (%s).", project.Root, what)
	case writes == 0:
		p.outcome(true, "Nothing to write in %s (%s)%s.", project.Root, what, left)
	case r.Dry:
		p.outcome(true, "Would write %s in %s (%s)%s; nothing was touched.", plural(writes, "file"), project.Root, what, left)
	default:
		p.outcome(true, "Wrote %s in %s (%s)%s.", plural(r.Written, "file"), project.Root, what, left)
	}
	for _, s := range r.Plan.Steps {
		if s.Action == scaffold.Create || s.Action == scaffold.Merge {
			// What git shows afterwards is left out; .env is not in git.
			p.initStep(s, r.Dry || !s.IsPatch())
		}
	}
	p.kept(r.Plan.Steps)
	for _, s := range r.Plan.Steps {
		if s.Action == scaffold.Differs {
			p.initStep(s, true)
		}
	}
	for _, next := range r.Next {
		p.next(next)
	}
}

// UndoInit shows what is taken out, and what is left.
func (p *Printer) UndoInit(r runbook.UndoReport) {
	count := map[scaffold.UndoAction]int{}
	for _, s := range r.Undo.Steps {
		count[s.Action]++
	}
	left := ""
	if n := count[scaffold.Leave]; n > 0 {
		left = "; " + plural(n, "file") + " left, which you have changed since"
	}
	if r.Dry {
		p.outcome(true, "Would take dev:init out of %s: %s removed, %s as they were%s; nothing was touched.", r.Undo.Root, plural(count[scaffold.Remove], "file"), plural(count[scaffold.Restore], "file"), left)
	} else {
		p.outcome(r.OK, "Took dev:init out of %s: %s removed, %s as they were%s.", r.Undo.Root, plural(count[scaffold.Remove], "file"), plural(count[scaffold.Restore], "file"), left)
	}
	for _, s := range r.Undo.Steps {
		p.line("  %-8s %s: %s", s.Action, s.Path, s.Why)
	}
}

func (p *Printer) initStep(s scaffold.Step, show bool) {
	p.line("  %-8s %s: %s", s.Action, s.Path, s.Why)
	if !show {
		return
	}
	for line := range strings.Lines(s.Show) {
		p.line("      %s", plain.Safe(plain.Text(strings.TrimRight(line, "\r\n"))))
	}
}

// kept names the files that stay, by the reason.
func (p *Printer) kept(steps []scaffold.Step) {
	var reasons []string
	paths := map[string][]string{}
	for _, s := range steps {
		if s.Action != scaffold.Keep {
			continue
		}
		if paths[s.Why] == nil {
			reasons = append(reasons, s.Why)
		}
		paths[s.Why] = append(paths[s.Why], s.Path)
	}
	for _, why := range reasons {
		p.line("  %-8s %s: %s", scaffold.Keep, strings.Join(paths[why], ", "), why)
	}
}

func driver(p scaffold.Project) string {
	if p.Driver == scaffold.Prisma {
		return "Prisma " + strconv.Itoa(p.Major)
	}
	return string(p.Driver)
}
