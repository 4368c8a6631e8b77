package screen

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Limits shows the server's limits, what is wanted of them, and what to do.
// Sentences keep to 80 columns; statements stay on one line, to be copied.
func (p *Printer) Limits(r runbook.LimitsReport) {
	if r.Raise != nil && r.Raise.Done {
		p.outcome(true, "Raised max_connections from %d to %d: the restarted server says so itself.", r.Raise.Old, r.Raise.New)
		return
	}
	if r.Timeout != nil && r.Timeout.Done {
		p.timeoutSet(*r.Timeout)
		return
	}
	p.outcome(r.OK && r.Wanted <= r.Available && r.Free > 0, "%s", wrapped(r.Headline()+".", 0))
	if r.Refusal != "" {
		p.line("  %s", wrapped(r.Refusal, 2))
	} else {
		p.serverLimits(r)
	}
	for i, s := range r.Sources {
		if i == mostLines {
			p.line("  … and %d more (-json has all)", len(r.Sources)-mostLines)
			break
		}
		p.line("  %s", wrapped(fmt.Sprintf("%s: %s, %d idle", s.Name(), plural(s.Count, "session"), s.Idle), 4))
	}
	if len(r.Advice) > 0 {
		p.line("Advice, best first:")
	}
	for i, a := range r.Advice {
		p.line("  %d. %s", i+1, a.Do)
		p.line("     %s", wrapped(a.Why, 5))
	}
	p.next(r.Next)
}

func (p *Printer) timeoutSet(t runbook.TimeoutChange) {
	if t.ValueMS == 0 {
		p.outcome(true, "Took back the idle timeouts of role %q in database %q: a new session says so.", t.Role, t.Database)
		return
	}
	p.outcome(true, "Sessions of role %q in database %q now end when they are idle for %s: a new session says so; those that are open keep what they have.",
		t.Role, t.Database, Age(time.Duration(t.ValueMS)*time.Millisecond))
}

func (p *Printer) serverLimits(r runbook.LimitsReport) {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprint(w, plain.Sprintf("  %s\t%s\n", name, value)) }
	row("max_connections", fmt.Sprint(r.Slots.Max))
	row("superuser_reserved_connections", fmt.Sprint(r.Slots.SuperuserReserved))
	if r.Slots.Reserved > 0 {
		row("reserved_connections", fmt.Sprint(r.Slots.Reserved))
	}
	for _, l := range r.RoleLimits {
		row("limit of role "+l.Name, limit(l))
	}
	for _, l := range r.DatabaseLimits {
		row("limit of database "+l.Name, limit(l))
	}
	row("pool limit of DATABASE_URL", fmt.Sprint(r.PoolLimit))
	for _, t := range r.Timeouts {
		value := "off"
		if t.Value > 0 {
			value = Age(t.Value)
		}
		if !t.Known {
			value = "unknown"
		}
		row(t.Name, value+" ("+t.Source+")")
	}
	_ = w.Flush()
}

func limit(l pgops.NamedLimit) string {
	if l.Limit < 0 {
		return fmt.Sprintf("none, %d in use", l.Used)
	}
	return fmt.Sprintf("%d, %d in use", l.Limit, l.Used)
}

// columns is how wide sentences get.
const columns = 80

// wrapped breaks a sentence between words; further lines are indented.
func wrapped(text string, indent int) plain.Safe {
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(plain.Line(text)) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case at+1+n > columns:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return plain.Safe(b.String())
}
