package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// CleanupOptions are the flags of db:cleanup.
type CleanupOptions struct {
	Force  bool              // every client session of the database, not only idle ones
	Idle   time.Duration     // only sessions that have been in their state at least this long; 0: any
	Dry    bool              // make the plan and apply nothing
	Remote string            // allow a server that is not this machine's, by its database's name
	Spare  Spare             // whose sessions are left alone
	Only   []pgops.SessionID // nothing but these; nil: no such restriction
	Caller string            // the target, for next commands; "db:cleanup" when empty
}

// Spare chooses whose sessions a cleanup leaves alone.
type Spare int

// SpareNobody ends sessions whoever holds them; SpareProject leaves those of
// this project's running processes alone (dev:start).
const (
	SpareNobody Spare = iota
	SpareProject
)

// CleanupReport is what one cleanup found and did.
type CleanupReport struct {
	OK        bool            `json:"ok"` // everything that was to end is gone, and a slot is free
	Dry       bool            `json:"dry"`
	Force     bool            `json:"force"`
	Target    Target          `json:"target"`
	Route     Route           `json:"route"`
	Found     int             `json:"found"`     // client sessions of the database, our own left out
	Plan      []pgops.Session `json:"plan"`      // to be ended
	Ended     int             `json:"ended"`     // of these, seen to be gone
	Freed     int             `json:"freed"`     // idle sessions of this database ended before, by SIGTERM, to get in
	Spared    []pgops.Judged  `json:"spared"`    // left alone, and why
	Refused   []pgops.Judged  `json:"refused"`   // this role may not end them
	Hidden    int             `json:"hidden"`    // of the spared: state not visible to this role
	LeftOver  []pgops.Session `json:"left_over"` // signalled, and still there after 5 s
	CameBack  []pgops.Session `json:"came_back"` // opened since
	Holders   []Source        `json:"holders"`   // who held the sessions of Plan, before anything was ended
	InUseBy   []Source        `json:"in_use_by"` // who holds those that were spared because they are in use
	BackBy    []Source        `json:"came_back_by"`
	PGlite    bool            `json:"pglite,omitempty"` // one connection, ours: there was nothing to end
	Slots     pgops.Slots     `json:"slots"`
	Usable    int             `json:"usable"`
	Free      int             `json:"free"`
	ElapsedMS int64           `json:"elapsed_ms"`      // getting in included
	Notes     []string        `json:"notes,omitempty"` // what a pooler changes
	Next      string          `json:"next,omitempty"`  // the command that goes on from here, where something is left to do
}

// Cleanup ends sessions of the URL's database in one statement and waits until
// they are gone. It gets in even when no slot is left (see the ladder in
// open), and returns a report with OK false when something is missing.
func Cleanup(ctx context.Context, deps *Deps, o CleanupOptions) (CleanupReport, error) {
	if o.Caller == "" {
		o.Caller = "db:cleanup"
	}
	if o.Idle < 0 {
		return CleanupReport{}, &Failure{Exit: ExitSettings, Code: "usage", Message: "-idle wants a duration that is not negative; nothing was touched.",
			Next: deps.Command("db:cleanup -idle=5m")}
	}
	began := time.Now()
	looked := machine.Begin(ctx)
	a, err := open(ctx, deps, openOptions{caller: o.Caller, remote: o.Remote, harm: true, signal: true, dry: o.Dry, looked: looked, force: o.Force, idle: o.Idle, spare: o.Spare})
	var plan *dryPlan
	if errors.As(err, &plan) {
		return planned(deps, plan, o), nil
	}
	if err != nil {
		return CleanupReport{}, err
	}
	defer func() { a.release() }() // which may be another session's by then
	if a.server.PGlite {
		r := newCleanupReport(Target{Place: placeOf(deps.Pool.URL())}, a.route, o)
		r.OK, r.PGlite = true, true
		return r, nil
	}
	r, err := cleanup(ctx, deps, a, o, looked)
	if err == nil {
		r.ElapsedMS = time.Since(began).Milliseconds()
	}
	return r, err
}

// planned is the report of a dry run that could not log in.
func planned(deps *Deps, plan *dryPlan, o CleanupOptions) CleanupReport {
	url := deps.Pool.URL()
	r := newCleanupReport(targetOf(url, plan.sc.srv), RouteSignal, o)
	for _, b := range plan.backends {
		r.Plan = append(r.Plan, b.Session(url.User, url.Database))
	}
	r.OK, r.Found = true, len(r.Plan)
	return r
}

// newCleanupReport has its lists made: JSON shows [] and not null.
func newCleanupReport(target Target, route Route, o CleanupOptions) CleanupReport {
	return CleanupReport{Dry: o.Dry, Force: o.Force, Target: target, Route: route,
		Plan: []pgops.Session{}, Spared: []pgops.Judged{}, Refused: []pgops.Judged{}, LeftOver: []pgops.Session{}, CameBack: []pgops.Session{},
		Holders: []Source{}, InUseBy: []Source{}, BackBy: []Source{}}
}

// cleanupTimeout bounds a cleanup of which the server freezes half-way.
const cleanupTimeout = 20 * time.Second

// cleanup works through a session that somebody else opened.
func cleanup(ctx context.Context, deps *Deps, a *access, o CleanupOptions, looked *machine.Looking) (CleanupReport, error) {
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	began := time.Now()
	end := pgops.EndOptions{Database: deps.Pool.URL().Database, Force: o.Force, Idle: o.Idle, Only: o.Only}
	r, err := planCleanup(ctx, deps, a, o, &end, looked)
	if err != nil {
		return r, cutBefore(ctx, deps, a, o, err)
	}
	if !o.Dry {
		deps.progress("cleaning up %s", r.Target)
		warnHolders(deps, r.Holders)
	}
	done := deps.waiting("waiting until the sessions are gone")
	result, err := pgops.End(ctx, a.conn, end)
	done()
	r.take(result)
	if err != nil && endedByOther(err) {
		// Another run with -force, or an administrator, ended our own session
		// while we waited: ask again with a new one what is left.
		err = r.verify(ctx, deps, result)
	} else if err == nil {
		err = r.settle(ctx, deps, a, result.At)
	}
	if err != nil {
		return r, r.cutShort(ctx, deps, o, err)
	}
	// A cleanup is there to free slots: where none is free it is not done. A dry
	// run only looks.
	r.OK = len(r.LeftOver) == 0 && len(r.Refused) == 0 && (o.Dry || r.Free > 0)
	r.ElapsedMS = time.Since(began).Milliseconds()
	r.Next = r.next(deps)
	return r, nil
}

// next is the one command that helps most with what is left.
func (r *CleanupReport) next(deps *Deps) string {
	switch {
	case r.Dry:
		return ""
	case len(r.LeftOver) > 0:
		return deps.Command("dev:recover -restart=always")
	case len(r.Refused) > 0:
		return "set DBTASKS_ADMIN_URL in .env to a superuser's URL, then: " + deps.Command("db:cleanup")
	case slices.ContainsFunc(r.BackBy, func(s Source) bool { return !s.Pooler }):
		return deps.Command("dev:stop")
	case r.Free == 0 && !r.Force:
		return deps.Command("db:cleanup -force")
	case r.Free == 0:
		return deps.Command("db:who")
	}
	return ""
}

// planCleanup looks at the sessions and, in one pass, at this machine: whether
// the server is local, whose sessions are spared, and who holds those to be
// ended, so that it is said before they are. It completes end; the statement
// that ends them decides anew.
func planCleanup(ctx context.Context, deps *Deps, a *access, o CleanupOptions, end *pgops.EndOptions, looked *machine.Looking) (CleanupReport, error) {
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
	sc := a.scene(ctx, deps, m)
	r := newCleanupReport(targetOf(deps.Pool.URL(), sc.srv), a.route, o)
	r.Freed = a.freed
	if end.OnlyRole, err = r.Target.permit(deps, o.Caller, o.Remote); err != nil {
		return r, err
	}
	refused := func(j pgops.Judged) bool { return j.Verdict == pgops.VerdictRefused }
	if a.freed > 0 && slices.ContainsFunc(dry.Judged, refused) && a.promote(ctx, deps, sc) {
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
	if end.Impostors = sc.impostors(all, clients, o.Force); len(end.Impostors) > 0 {
		again := *end
		again.Dry = true
		if dry, err = pgops.End(ctx, a.conn, again); err != nil {
			return r, err
		}
	}
	end.Pooled, end.Others = sc.inUse(all, clients), sc.heldBy(clients, machine.Another)
	spared := end.Spare
	if !o.Force {
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
func warnHolders(deps *Deps, holders []Source) {
	for i, s := range holders {
		if i == mostHolders {
			deps.progress("  and %d more", len(holders)-mostHolders)
			return
		}
		switch {
		case s.Pooler:
			deps.progress("  held by %s: %d; it opens new ones when its clients need them", s.Name(), s.Count)
		case s.PID == 0:
			deps.progress("  held by %s: %d", s.Name(), s.Count)
		case s.Stopped:
			deps.progress("  held by %s: %d; it is stopped (Ctrl+Z) and would keep them for ever", s.Name(), s.Count)
		default:
			deps.progress("  held by %s: %d; it runs: Prisma logs in again, a node-postgres pool without an error listener ends it", s.Name(), s.Count)
		}
	}
}

// take sorts what the statement decided.
func (r *CleanupReport) take(result pgops.EndResult) {
	r.Found = len(result.Judged)
	for _, j := range result.Judged {
		switch j.Verdict {
		case pgops.VerdictEnd:
			r.Plan = append(r.Plan, j.Session)
		case pgops.VerdictRefused:
			r.Refused = append(r.Refused, j)
		default:
			if j.Verdict == pgops.VerdictHidden {
				r.Hidden++
			}
			r.Spared = append(r.Spared, j)
		}
	}
	r.Ended = len(result.Ended)
	r.LeftOver = append(r.LeftOver, result.LeftOver...)
}

// settle asks what the server looks like afterwards: the slots, and the
// sessions that were opened since.
func (r *CleanupReport) settle(ctx context.Context, deps *Deps, a *access, since time.Time) error {
	now, err := pgops.Sessions(ctx, a.conn, "")
	if err != nil {
		return err
	}
	if !since.IsZero() && !r.Dry {
		for _, s := range now {
			if s.Database == r.Target.Database && s.BackendStart != nil && s.BackendStart.After(since) && s.ApplicationName != pgops.ApplicationName {
				r.CameBack = append(r.CameBack, s)
			}
		}
	}
	if len(r.CameBack) > 0 {
		m, err := machine.Look(ctx)
		if err != nil {
			return err
		}
		sc := a.scene(ctx, deps, m)
		r.BackBy = sources(sc, r.CameBack, sc.holders(ctx, r.CameBack))
	}
	r.Slots = a.server.Slots
	r.Slots.Used = len(now) + 1 // our own
	r.Usable, r.Free = r.Slots.Usable(), r.Slots.Free()
	return nil
}

// verify looks with a new session for what the ended one was waiting for.
func (r *CleanupReport) verify(ctx context.Context, deps *Deps, result pgops.EndResult) error {
	a, err := openURL(ctx, deps)
	if err != nil {
		return err
	}
	defer a.release()
	gone, left, err := pgops.AwaitGone(ctx, a.conn, result.LeftOver)
	if err != nil {
		return err
	}
	r.Ended += len(gone)
	r.LeftOver = append([]pgops.Session{}, left...)
	return r.settle(ctx, deps, a, result.At)
}

// endedByOther tells whether the server ended our session on somebody's order.
func endedByOther(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57P01"
}
