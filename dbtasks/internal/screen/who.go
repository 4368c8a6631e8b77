package screen

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// mostSessions is how many sessions are listed one by one for people.
const mostSessions = 40

// Who shows who holds the connections: the outcome, the sources, the sessions.
func (p *Printer) Who(r runbook.WhoReport) {
	p.outcome(r.Free > 0, "%s.", r.Headline())
	if r.Refusal != "" {
		p.line("  %s", r.Refusal)
	}
	for _, s := range r.Sources {
		p.source(s)
	}
	if p.bouncer(r.Bouncer); r.Bouncer != nil {
		for _, s := range r.Bouncer.Sources {
			p.line("    %s: %s, %d idle; of %s, role %s, database %s", s.Name(), plural(s.Count, "client"), s.Idle, names(s.Applications), strings.Join(s.Roles, ", "), strings.Join(s.Databases, ", "))
		}
	}
	if len(r.Sessions) == 0 {
		return
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  BACKEND\tHOLDER\tDATABASE\tROLE\tAPPLICATION\tSTATE\tFOR")
	for i, s := range r.Sessions {
		if i == mostSessions {
			fmt.Fprintf(w, "  … and %d more (-json has all)\n", len(r.Sessions)-mostSessions)
			break
		}
		holder := "unknown"
		if s.HolderPID != 0 {
			holder = fmt.Sprintf("pid %d", s.HolderPID)
		}
		fmt.Fprint(w, plain.Sprintf("  %d\t%s\t%s\t%s\t%s\t%s\t%s\n", s.PID, holder, s.Database, s.Role, named(s.ApplicationName), s.State, Age(s.Age)))
	}
	_ = w.Flush()
}

func (p *Printer) source(s runbook.Source) {
	whose := ""
	switch {
	case s.Ours:
		whose = ", this project"
	case s.Project != "":
		whose = ", another project"
	}
	p.line("  %s%s: %s, %d idle, %d opened in the last minute, the oldest %s ago; of %s, role %s, database %s",
		s.Name(), whose, plural(s.Count, "session"), s.Idle, s.LastMinute, Age(time.Duration(s.OldestMS)*time.Millisecond),
		names(s.Applications), strings.Join(s.Roles, ", "), strings.Join(s.Databases, ", "))
	if s.LeftBehind > 0 {
		p.line("    looks like a leak: %d pools in one process; %d idle sessions are of pools that a reload left behind", s.Pools, s.LeftBehind)
	}
	if s.Stopped {
		p.line("    the process is stopped (Ctrl+Z): it keeps its sessions until it goes on or ends")
	}
}

func names(applications []string) string {
	list := make([]string, len(applications))
	for i, a := range applications {
		list[i] = named(a)
	}
	return strings.Join(list, ", ")
}
