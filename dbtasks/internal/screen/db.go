package screen

import (
	"fmt"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Test shows a login that worked.
func (p *Printer) Test(r runbook.TestReport) {
	p.outcome(true, "OK: logged in as %q to %s at %s: PostgreSQL %s, %.1f ms to log in, %.1f ms a query.",
		r.Target.Role, r.Target.Named(), r.Target.At(), r.Version, r.LoginMS, r.LatencyMS)
	if r.WaitedMS > 0 {
		p.line("  waited %s for it", Age(time.Duration(r.WaitedMS)*time.Millisecond))
	}
	if r.PGlite {
		p.line("  this is PGlite (prisma dev, pglite-socket): one connection at a time, and no slots; pool limit of DATABASE_URL: %d, of which more than 1 waits", r.PoolLimit)
		return
	}
	p.line("  slots: %d of %d usable in use, %d free (max_connections %d, %d reserved); pool limit of DATABASE_URL: %d",
		r.Slots.Used, r.Usable, r.Free, r.Slots.Max, r.Slots.Max-r.Usable, r.PoolLimit)
	p.others(r.Others)
	if r.Holders != "" {
		p.line("  %s", r.Holders)
	}
	if r.Pooler {
		p.line("  the login went through a connection pooler")
	}
	p.bouncer(r.Bouncer)
	if r.Recovery {
		p.line("  the server is in recovery: a read-only standby")
	}
	if len(r.Ignored) > 0 {
		p.line("  parameters of the URL that nobody here knows, not sent to the server: %s", strings.Join(r.Ignored, ", "))
	}
	if r.Direct != nil {
		p.line("  DIRECT_URL: logged in as %q to %s at %s, PostgreSQL %s, %.1f ms", r.Direct.Target.Role, r.Direct.Target.Named(), r.Direct.Target.At(), r.Direct.Version, r.Direct.LoginMS)
	}
}

// target says where the server is that was dealt with.
func (p *Printer) target(t runbook.Target) {
	if t.Container != nil {
		p.line("  server: %s at %s", t.Container, t.Address)
	} else if t.Address != "" && t.Address != t.At() {
		p.line("  server: at %s", t.Address)
	}
	p.others(t.Others)
}

// others names the servers that a name or a port might be mistaken for.
func (p *Printer) others(list []string) {
	if len(list) > 0 {
		p.line("  on the same port, and left alone: %s", strings.Join(list, ", "))
	}
}

// Cleanup shows what a cleanup found and did.
func (p *Printer) Cleanup(r runbook.CleanupReport) {
	ok, text := CleanupOutcome(r)
	p.outcome(ok, "%s", text)
	p.line("  found %d, ended %d, spared %d, refused %d, came back %d, left over %d; %s, %d ms",
		r.Found, r.Ended, len(r.Spared), len(r.Refused), len(r.CameBack), len(r.LeftOver), r.Route.Words(), r.ElapsedMS)
	if r.Freed > 0 {
		p.line("  before that, to get in: SIGTERM to %s of this database", plural(r.Freed, "idle backend"))
	}
	p.target(r.Target)
	if r.Dry {
		p.sessions("would end", r.Plan)
		p.sources("held by", r.Holders)
	}
	p.judged("spared", r.Spared)
	p.sources("in use by", r.InUseBy)
	p.judged("refused", r.Refused)
	p.sessions("left over", r.LeftOver)
	p.sessions("came back", r.CameBack)
	p.sources("came back by", r.BackBy)
	for _, note := range r.Notes {
		p.line("  %s", wrapped(note, 2))
	}
	if r.Hidden > 0 {
		p.line("  this role may not see the state of %s: grant it pg_read_all_stats, or set DBTASKS_ADMIN_URL", plural(r.Hidden, "session"))
	}
	p.next(r.Next)
}

// CleanupOutcome is a cleanup's first line, and whether it is a good one.
func CleanupOutcome(r runbook.CleanupReport) (ok bool, text string) {
	kind := kindOf(r)
	if r.PID != 0 && len(r.Plan)+len(r.Refused) == 0 && len(r.Spared) > 0 {
		return false, fmt.Sprintf("The session with pid %d of %s is spared: %s.", r.PID, r.Target.Named(), r.Spared[0].Verdict)
	}
	if r.Cancel && r.OK && !r.Dry && len(r.Plan) > 0 {
		return true, fmt.Sprintf("Cancelled %s of %s, and left the sessions.", plural(r.Ended, "running statement"), r.Target.Named())
	}
	switch {
	case r.PGlite:
		return true, fmt.Sprintf("Nothing to end: %s at %s is PGlite (prisma dev), which has one connection, and that was ours.", r.Target.Named(), r.Target.At())
	case r.Dry:
		verb := "end"
		if r.Cancel {
			verb = "cancel"
		}
		return true, fmt.Sprintf("Would "+verb+" %s of %s at %s; nothing was touched.", plural(len(r.Plan), kind), r.Target.Named(), r.Target.At())
	case !r.OK && len(r.LeftOver)+len(r.Refused) == 0:
		return false, fmt.Sprintf("Ended %s of %s, and no slot is free: %d of %d usable slots are taken.", plural(r.Ended+r.Freed, kind), r.Target.Named(), r.Slots.Used, r.Usable)
	case !r.OK:
		return false, fmt.Sprintf("Ended %d of %s of %s: %d left over, %d refused; %d of %d usable slots are free.",
			r.Ended, plural(len(r.Plan)+len(r.Refused), kind), r.Target.Named(), len(r.LeftOver), len(r.Refused), r.Free, r.Usable)
	case len(r.Plan) == 0 && r.Freed == 0:
		return true, fmt.Sprintf("No %s of %s to end; %d of %d usable slots are free.", kind, r.Target.Named(), r.Free, r.Usable)
	}
	return true, fmt.Sprintf("Ended %s of %s, all gone; %d of %d usable slots are free.", plural(r.Ended+r.Freed, kind), r.Target.Named(), r.Free, r.Usable)
}

// kindOf is what the cleanup was to end.
func kindOf(r runbook.CleanupReport) string {
	switch {
	case r.Cancel:
		return "running statement"
	case r.PID != 0:
		return "session"
	case r.State == "idle_in_transaction":
		return "idle-in-transaction session"
	case r.State == "active":
		return "active session"
	case r.Force && r.State == "":
		return "session"
	}
	return "idle session"
}

// judged shows sessions that were left alone: one line for each that holds a
// transaction open, one for each other reason.
func (p *Printer) judged(title string, list []pgops.Judged) {
	counts := map[string]int{}
	var order []string
	for _, j := range list {
		if j.State.InTransaction() {
			p.line("  %s: pid %d, %s, %s for %s", title, j.PID, named(j.ApplicationName), j.State, Age(j.Age))
			continue
		}
		key := fmt.Sprintf("%s, of role %s", j.Verdict, j.Role)
		if counts[key] == 0 {
			order = append(order, key)
		}
		counts[key]++
	}
	for _, key := range order {
		p.line("  %s: %s: %s", title, plural(counts[key], "session"), key)
	}
}

// mostLines is how many lines a list of sessions, or of who holds them, takes.
const mostLines = 12

// sources shows who holds sessions.
func (p *Printer) sources(title string, list []runbook.Source) {
	for i, s := range list {
		if i == mostLines {
			p.line("  %s: and %d more", title, len(list)-mostLines)
			return
		}
		p.line("  %s: %s: %d", title, s.Name(), s.Count)
	}
}

func (p *Printer) sessions(title string, list []pgops.Session) {
	counts := map[string]int{}
	oldest := map[string]time.Duration{}
	for _, s := range list {
		key := fmt.Sprintf("%s, %s", named(s.ApplicationName), s.State)
		counts[key]++
		oldest[key] = max(oldest[key], s.Age)
	}
	keys := make([]string, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		return counts[keys[i]] > counts[keys[j]] || counts[keys[i]] == counts[keys[j]] && keys[i] < keys[j]
	})
	for i, key := range keys {
		if i == mostLines {
			p.line("  %s: and %d more kinds", title, len(keys)-mostLines)
			break
		}
		line := fmt.Sprintf("  %s: %s of %s", title, plural(counts[key], "session"), key)
		if oldest[key] > 0 {
			line += ", oldest " + Age(oldest[key])
		}
		p.line("%s", line)
	}
}

// Sample is one line of db:monitor.
func (p *Printer) Sample(s runbook.MonitorSample) {
	at := s.Time.Format("15:04:05")
	switch {
	case !s.OK:
		p.line("%s  no answer for %s: %s", at, Age(time.Duration(s.DownMS)*time.Millisecond), s.Message)
	case s.Refused:
		p.line("%s  100 %%: no slot left (%s)", at, s.Error)
	default:
		p.line("%s  %4d sessions: %d idle, %d active, %d in transaction%s | server %d of %d usable slots, %.0f %%%s",
			at, s.Sessions, s.Idle, s.Active, s.InTransaction, other(s.Other), s.Used, s.Usable, s.Percent, growing(s))
	}
	p.bouncer(s.Bouncer)
}

// bouncer is the pooler's line, where there is one.
func (p *Printer) bouncer(b *runbook.Bouncer) {
	if b != nil {
		p.line("  %s", wrapped(b.Headline(), 2))
	}
}

// growing says where it is heading, where that is up.
func growing(s runbook.MonitorSample) string {
	if s.FullInMS == 0 {
		return ""
	}
	return fmt.Sprintf(", growing %.0f a minute, full in about %s", max(1, *s.PerMinute), Age(time.Duration(s.FullInMS)*time.Millisecond))
}

func other(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d other", n)
}

// Table is db:monitor -once.
func (p *Printer) Table(s runbook.MonitorSample) {
	if !s.OK || s.Refused {
		p.outcome(false, "%s", s.Message)
		return
	}
	p.outcome(s.Percent < 100, "%d sessions of this database; the server has %d of %d usable slots in use (%.0f %%).", s.Sessions, s.Used, s.Usable, s.Percent)
	if s.Holders != "" {
		p.line("  %s", s.Holders)
	}
	p.bouncer(s.Bouncer)
	if len(s.Groups) == 0 {
		return
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  APPLICATION\tSTATE\tSESSIONS\tOLDEST")
	for _, g := range s.Groups {
		fmt.Fprint(w, plain.Sprintf("  %s\t%s\t%d\t%s\n", named(g.ApplicationName), g.State, g.Count, Age(time.Duration(g.OldestMS)*time.Millisecond)))
	}
	_ = w.Flush()
}

// Monitor is the end of a run.
func (p *Printer) Monitor(r runbook.MonitorReport) {
	switch {
	case r.Refusals > 0:
		p.outcome(false, "Peak: full. The server let nobody in %s of %d.", plural(r.Refusals, "sample"), r.Samples)
	case !r.OK:
		p.outcome(false, "Peak %d sessions: the warning limit is %d.", r.Peak, r.Warn)
	}
}
