package runbook

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// CleanupOptions are the flags of db:cleanup.
type CleanupOptions struct {
	Force  bool          // every client session of the database, not only idle ones
	Idle   time.Duration // only sessions that have been in their state at least this long; 0: any
	State  string        // only sessions in this state: "idle", "idle_in_transaction" or "active"; empty: what is idle and not in use
	PID    int           // only this session, whatever it does; 0: any
	Cancel bool          // cancel running statements, and leave the sessions
	Dry    bool          // make the plan and apply nothing
	Remote string        // allow a server that is not this machine's, by its database's name
	Spare  Spare         // whose sessions are left alone
	Only   []SessionID   // nothing but these; nil: no such restriction
	Caller string        // the target, for next commands; "db:cleanup" when empty
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
	OK        bool      `json:"ok"` // everything that was to end is gone, and a slot is free
	Dry       bool      `json:"dry"`
	Force     bool      `json:"force"`
	State     string    `json:"state,omitempty"` // -state
	PID       int       `json:"pid,omitempty"`   // -pid
	Cancel    bool      `json:"cancel"`          // the statements were cancelled, and the sessions left
	Target    Target    `json:"target"`
	Route     Route     `json:"route"`
	Found     int       `json:"found"`     // client sessions of the database, our own left out
	Plan      []Session `json:"plan"`      // to be ended
	Ended     int       `json:"ended"`     // of these, seen to be gone; with Cancel, to run that statement no more
	Freed     int       `json:"freed"`     // idle sessions of this database ended before, by SIGTERM, to get in
	Spared    []Judged  `json:"spared"`    // left alone, and why
	Refused   []Judged  `json:"refused"`   // this role may not end them
	Hidden    int       `json:"hidden"`    // of the spared: state not visible to this role
	LeftOver  []Session `json:"left_over"` // signalled, and still there after 5 s
	CameBack  []Session `json:"came_back"` // opened since
	Holders   []Source  `json:"holders"`   // who held the sessions of Plan, before anything was ended
	InUseBy   []Source  `json:"in_use_by"` // who holds those that were spared because they are in use
	BackBy    []Source  `json:"came_back_by"`
	PGlite    bool      `json:"pglite,omitempty"` // one connection, ours: there was nothing to end
	Slots     Slots     `json:"slots"`
	Usable    int       `json:"usable"`
	Free      int       `json:"free"`
	ElapsedMS int64     `json:"elapsed_ms"`      // getting in included
	Notes     []string  `json:"notes,omitempty"` // what a pooler changes
	Next      string    `json:"next,omitempty"`  // the command that goes on from here, where something is left to do
}

// Cleanup ends sessions of the URL's database in one statement and waits until
// they are gone. It gets in even when no slot is left (see the ladder in
// open), and returns a report with OK false when something is missing.
func (rb *Runbook) Cleanup(ctx context.Context, o CleanupOptions) (CleanupReport, error) {
	if o.Caller == "" {
		o.Caller = "db:cleanup"
	}
	if err := o.check(rb); err != nil {
		return CleanupReport{}, err
	}
	if rb.cfg.ReadOnly && !o.Dry {
		return cleanupReadOnly(ctx, rb, o, func(o CleanupOptions) (CleanupReport, error) { return rb.Cleanup(ctx, o) })
	}
	began := time.Now()
	looked := machine.Begin(ctx)
	a, err := open(ctx, rb, openOptions{caller: o.Caller, remote: o.Remote, harm: true, signal: !o.exact(), dry: o.Dry, looked: looked, force: o.Force, idle: o.Idle, spare: o.Spare})
	var plan *dryPlan
	if errors.As(err, &plan) {
		return planned(rb, plan, o), nil
	}
	if err != nil {
		return CleanupReport{}, err
	}
	defer func() { a.release() }() // which may be another session's by then
	if a.server.PGlite {
		r := newCleanupReport(Target{Place: placeOf(rb.pool.URL())}, a.route, o)
		r.OK, r.PGlite = true, true
		return r, nil
	}
	r, err := cleanup(ctx, rb, a, o, looked)
	if err == nil {
		r.ElapsedMS = time.Since(began).Milliseconds()
	}
	return r, err
}

// newCleanupReport has its lists made: JSON shows [] and not null.
func newCleanupReport(target Target, route Route, o CleanupOptions) CleanupReport {
	return CleanupReport{Dry: o.Dry, Force: o.Force, State: o.State, PID: o.PID, Cancel: o.Cancel, Target: target, Route: route,
		Plan: []pgops.Session{}, Spared: []pgops.Judged{}, Refused: []pgops.Judged{}, LeftOver: []pgops.Session{}, CameBack: []pgops.Session{},
		Holders: []Source{}, InUseBy: []Source{}, BackBy: []Source{}}
}

// cleanupTimeout bounds a cleanup of which the server freezes half-way.
const cleanupTimeout = 20 * time.Second

// cleanup works through a session that somebody else opened.
func cleanup(ctx context.Context, rb *Runbook, a *access, o CleanupOptions, looked *machine.Looking) (CleanupReport, error) {
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	began := time.Now()
	end := o.endOptions(rb.pool.URL().Database)
	r, err := planCleanup(ctx, rb, a, o, &end, looked)
	if err != nil {
		return r, cutBefore(ctx, rb, a, o, err)
	}
	if !o.Dry {
		rb.progress("cleaning up %s", r.Target)
		warnHolders(rb, r.Holders)
	}
	done := rb.waiting("waiting until the sessions are gone")
	result, err := pgops.End(ctx, a.conn, end)
	done()
	r.take(result)
	if err == nil {
		if missed := r.missed(rb, o); missed != nil {
			return r, missed
		}
	}
	if err != nil && endedByOther(err) {
		// Another run with -force, or an administrator, ended our own session
		// while we waited: ask again with a new one what is left.
		err = r.verify(ctx, rb, result)
	} else if err == nil {
		err = r.settle(ctx, rb, a, result.At)
	}
	if err != nil {
		return r, r.cutShort(ctx, rb, o, err)
	}
	// A cleanup is there to free slots: where none is free it is not done. A dry
	// run only looks.
	r.OK = len(r.LeftOver) == 0 && len(r.Refused) == 0 && (o.Dry || r.Free > 0 || o.exact()) && (o.PID == 0 || len(r.Plan) > 0)
	r.ElapsedMS = time.Since(began).Milliseconds()
	r.Next = cmp.Or(r.next(rb), r.Next)
	return r, nil
}

// next is the one command that helps most with what is left.
func (r *CleanupReport) next(rb *Runbook) string {
	switch {
	case r.Dry:
		return ""
	case len(r.LeftOver) > 0:
		return rb.Command("dev:recover -restart=always")
	case len(r.Refused) > 0:
		return "set DBTASKS_ADMIN_URL in .env to a superuser's URL, then: " + rb.Command("db:cleanup")
	case slices.ContainsFunc(r.BackBy, func(s Source) bool { return !s.Pooler }):
		return rb.Command("dev:stop")
	case r.Free == 0 && !r.Force:
		return rb.Command("db:cleanup -force")
	case r.Free == 0:
		return rb.Command("db:who")
	}
	return ""
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
func (r *CleanupReport) settle(ctx context.Context, rb *Runbook, a *access, since time.Time) error {
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
		sc := a.scene(ctx, rb, m)
		r.BackBy = sources(sc, r.CameBack, sc.holders(ctx, r.CameBack))
	}
	if err := r.blockedBySpared(ctx, rb, a, now); err != nil {
		return err
	}
	r.Slots = a.server.Slots
	r.Slots.Used = len(now) + 1 // our own
	r.Usable, r.Free = r.Slots.Usable(), r.Slots.Free()
	return nil
}

// verify looks with a new session for what the ended one was waiting for.
func (r *CleanupReport) verify(ctx context.Context, rb *Runbook, result pgops.EndResult) error {
	a, err := openURL(ctx, rb)
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
	return r.settle(ctx, rb, a, result.At)
}

// endedByOther tells whether the server ended our session on somebody's order.
func endedByOther(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57P01"
}
