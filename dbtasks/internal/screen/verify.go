package screen

import (
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// verifyBar is the width of the longest bar.
const verifyBar = 48

// Verify shows the proof: the verdict, then a bar a reload.
func (p *Printer) Verify(r runbook.VerifyReport) {
	headline := r.Headline()
	p.outcome(r.OK, "%s%s.", strings.ToUpper(headline[:1]), headline[1:])
	failed := 0
	for i, reload := range r.Reloads {
		bar := strings.Repeat("#", reload.Sessions*verifyBar/max(r.Peak, 1))
		p.line("  reload %2d %4d %s", i+1, reload.Sessions, bar)
		failed += reload.Failed
	}
	how := "of the dev server's processes"
	if r.CountedBy == "database" {
		how = "that are new in the database (whose they are can't be told from here)"
	}
	if len(r.Modules) == 0 || r.Static {
		p.line("  sessions %s after %s was asked for", how, r.URL)
	} else {
		p.line("  sessions %s after each time that %s was evaluated again and %s asked for", how, strings.Join(r.Modules, ", "), r.URL)
	}
	if failed > 0 {
		p.line("  %s failed", plural(failed, "request"))
	}
	p.next(r.Next)
}
