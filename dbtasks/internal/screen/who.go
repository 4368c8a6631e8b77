package screen

import (
	"cmp"
	"fmt"
	"strconv"
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
	p.target(r.Target)
	for _, s := range r.Sources {
		p.source(s)
	}
	if p.bouncer(r.Bouncer); r.Bouncer != nil {
		for _, s := range r.Bouncer.Sources {
			p.line("    %s: %s, %d idle; of %s, role %s, database %s", s.Name(), plural(s.Count, "client"), s.Idle, names(s.Applications), strings.Join(s.Roles, ", "), strings.Join(s.Databases, ", "))
		}
	}
	for _, b := range r.Blockers {
		p.line("  %s:", b.Words())
		for i, w := range b.Waiting {
			if i == mostLines {
				p.line("    and %d more", len(b.Waiting)-mostLines)
				break
			}
			since := ""
			if w.ForMS > 0 {
				since = " for " + Age(time.Duration(w.ForMS)*time.Millisecond)
			}
			p.line("  %spid %d waits%s for %s", strings.Repeat("  ", min(max(w.Depth, 1), 8)), w.PID, since, cmp.Or(w.Lock, "a lock"))
		}
	}
	p.next(r.Next)
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
		backend, since := "unknown", "unknown"
		if s.PID != 0 {
			backend = strconv.Itoa(s.PID)
		}
		if s.AgeMS != 0 {
			since = Age(s.Age)
		}
		fmt.Fprint(w, plain.Sprintf("  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", backend, holder, unknown(s.Database), unknown(s.Role), named(s.ApplicationName), s.State, since))
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
	known := []string{plural(s.Count, "session")}
	if idle := s.IdleWords(); idle != "" {
		known = append(known, idle)
	}
	if s.TimesKnown {
		known = append(known, fmt.Sprintf("%d opened in the last minute, the oldest %s ago", s.LastMinute, Age(time.Duration(s.OldestMS)*time.Millisecond)))
	}
	p.line("  %s%s: %s; of %s, role %s, database %s", s.Name(), whose, strings.Join(known, ", "), names(s.Applications), unknown(strings.Join(s.Roles, ", ")), unknown(strings.Join(s.Databases, ", ")))
	if s.LeftBehind > 0 {
		p.line("    looks like a leak: %d pools in one process; %d idle sessions are of pools that a reload left behind", s.Pools, s.LeftBehind)
	}
	if s.Stopped {
		p.line("    the process is stopped (Ctrl+Z): it keeps its sessions until it goes on or ends")
	}
}

// unknown is a name, or the word for one that is not told.
func unknown(name string) string {
	if name == "" {
		return "unknown"
	}
	return name
}

func names(applications []string) string {
	list := make([]string, len(applications))
	for i, a := range applications {
		list[i] = named(a)
	}
	return strings.Join(list, ", ")
}
