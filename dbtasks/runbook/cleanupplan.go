package runbook

import (
	"context"
	"fmt"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// planned is the report of a dry run that could not log in.
func planned(rb *Runbook, plan *dryPlan, o CleanupOptions) CleanupReport {
	url := rb.pool.URL()
	r := newCleanupReport(targetOf(url, plan.sc.srv), RouteSignal, o)
	for _, b := range plan.backends {
		r.Plan = append(r.Plan, b.Session(url.User, url.Database))
	}
	r.OK, r.Found = true, len(r.Plan)
	return r
}

// planCleanup looks at the sessions and, in one pass, at this machine: whether
// the server is local, whose sessions are spared, and who holds those to be
// ended, so that it is said before they are. It completes end; the statement
// that ends them decides anew.
func planCleanup(ctx context.Context, rb *Runbook, a *access, o CleanupOptions, end *pgops.EndOptions, looked *machine.Looking) (CleanupReport, error) {
	end.Dry = true
	dry, err := pgops.End(ctx, a.conn, *end)
	end.Dry = o.Dry
	if err != nil {
		return CleanupReport{}, err
	}
	all := make([]pgops.Session, len(dry.Judged))
	for i, j := range dry.Judged {
		all[i] = j.Session
	}
	m, err := looked.Machine(server.Ends(all))
	if err != nil {
		return CleanupReport{}, err
	}
	sc := a.scene(ctx, rb, m)
	r := newCleanupReport(targetOf(rb.pool.URL(), sc.srv), a.route, o)
	r.Freed = a.freed
	if end.OnlyRole, err = r.Target.permit(rb, o.Caller, o.Remote); err != nil {
		return r, err
	}
	refused := func(j pgops.Judged) bool { return j.Verdict == pgops.VerdictRefused }
	if a.freed > 0 && slices.ContainsFunc(dry.Judged, refused) && a.promote(ctx, rb, sc) {
		// There was no slot for it before one was freed.
		r.Route = a.route
		again := *end
		again.Dry = true
		if dry, err = pgops.End(ctx, a.conn, again); err != nil {
			return r, err
		}
	}
	var chosen []pgops.Session
	clients := sc.holders(ctx, all)
	if o.Spare == SpareProject {
		end.Spare = sc.heldBy(clients, machine.Ours)
	}
	if end.Impostors = sc.impostors(all, clients, end.Force); len(end.Impostors) > 0 {
		again := *end
		again.Dry = true
		if dry, err = pgops.End(ctx, a.conn, again); err != nil {
			return r, err
		}
	}
	end.Pooled, end.Others = sc.inUse(all, clients), sc.heldBy(clients, machine.Another)
	spared := end.Spare
	if !end.Force {
		spared = slices.Concat(spared, end.Pooled, end.Others)
	}
	var inUse []pgops.Session
	for _, j := range dry.Judged {
		left := slices.Contains(spared, j.PID)
		switch {
		case j.Verdict == pgops.VerdictEnd && !left && (end.OnlyRole == "" || j.Role == end.OnlyRole):
			chosen = append(chosen, j.Session)
		case j.Verdict == pgops.VerdictEnd && left, j.Verdict.InUse():
			inUse = append(inUse, j.Session)
		}
	}
	r.Holders, r.InUseBy = sources(sc, chosen, clients), sources(sc, inUse, clients)
	r.note(a, sc.bouncer)
	return r, nil
}

// note says what a pooler changes about a cleanup.
func (r *CleanupReport) note(a *access, b *Bouncer) {
	if a.pooled {
		name := "a connection pooler"
		if b != nil {
			name = b.Name()
		}
		r.Notes = append(r.Notes, fmt.Sprintf("DATABASE_URL leads to %s, and so did this cleanup: it sees and ends the server's sessions, but gets in only while the pooler lets it, and never through the server's reserved slots; DIRECT_URL to the server itself does", name))
	}
	for _, s := range r.Holders {
		if s.Pooler {
			r.Notes = append(r.Notes, fmt.Sprintf("%d of the sessions are %s's own: its clients stay connected, and it opens new ones when they need them", s.Count, s.Name()))
		}
	}
}

// warnHolders names the running processes whose sessions are about to end, and
// what may follow (measured: Prisma's adapter logs in again at the next
// request; a plain node-postgres pool without an "error" listener ends its
// process).
func warnHolders(rb *Runbook, holders []Source) {
	running := slices.ContainsFunc(holders, func(s Source) bool { return !s.Pooler && s.PID != 0 && !s.Stopped })
	for i, s := range holders {
		if i == mostHolders {
			rb.progress("  and by %d more", len(holders)-mostHolders)
			break
		}
		switch {
		case s.Pooler:
			rb.progress("  held by %s: %d; it opens new ones when its clients need them", s.Name(), s.Count)
		case s.Stopped:
			rb.progress("  held by %s: %d; it is stopped (Ctrl+Z) and would keep them for ever", s.Name(), s.Count)
		default:
			rb.progress("  held by %s: %d", s.Name(), s.Count)
		}
	}
	if running {
		rb.progress("  of these, Prisma logs in again, and a node-postgres pool without an error listener ends its process")
	}
}
