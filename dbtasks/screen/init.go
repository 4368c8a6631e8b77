package screen

import (
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
	"github.com/pgrunbook/pgrunbook/dbtasks/scaffold"
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
		p.line("  %-8s %s: %s", s.Action, s.Path, s.Why)
		if s.Action != scaffold.Merge || r.Dry {
			p.indented("      ", s.Show)
		}
	}
	for _, next := range r.Next {
		p.next(next)
	}
}

func driver(p scaffold.Project) string {
	if p.Driver == scaffold.Prisma {
		return "Prisma " + strconv.Itoa(p.Major)
	}
	return string(p.Driver)
}

func (p *Printer) indented(by, text string) {
	for line := range strings.Lines(text) {
		p.line("%s%s", by, strings.TrimRight(line, "\r\n"))
	}
}
