package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// WhoReport is who holds the server's connections, sessions of every database.
type WhoReport struct {
	OK       bool         `json:"ok"`
	Target   Target       `json:"target"`
	Route    Route        `json:"route"`
	Slots    Slots        `json:"slots"`
	Usable   int          `json:"usable"`
	Free     int          `json:"free"`
	Sources  []Source     `json:"sources"`  // most sessions first
	Sessions []WhoSession `json:"sessions"` // by source, oldest first
	Blockers []Blocker    `json:"blockers"` // sessions that others wait for, most waiting first
	// Diagnosis is why more than half of the usable slots are taken, or why
	// sessions wait; absent where neither is so, or no session could ask.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
	Next      string     `json:"next,omitempty"`    // the command that goes on from here
	Refusal   string     `json:"refusal,omitempty"` // why there was no session to ask with; then slots are not known
	// Bouncer is the PgBouncer that DATABASE_URL leads to, with its clients.
	Bouncer *Bouncer `json:"pgbouncer,omitempty"`
}

// WhoSession is one session and its holder.
type WhoSession struct {
	Session
	HolderPID int `json:"holder_pid,omitempty"`
}

// Who says who holds the connections. It climbs the ladder up to the reserved
// slots and ends nothing; with no slot at all it tells what sockets and process
// titles tell.
func (rb *Runbook) Who(ctx context.Context) (WhoReport, error) {
	looked := machine.Begin(ctx)
	a, err := open(ctx, rb, openOptions{caller: "db:who", looked: looked})
	if f := AsFailure(err); f != nil && pgops.Cause(f.Code).NoSlot() {
		return whoWithoutSession(ctx, rb, f)
	}
	if err != nil {
		return WhoReport{}, err
	}
	defer a.release()
	ctx, cancel := context.WithTimeout(ctx, pgops.QuestionTimeout)
	defer cancel()
	sessions, err := pgops.Sessions(ctx, a.conn, "")
	if err != nil {
		return WhoReport{}, unanswered(ctx, rb, err)
	}
	waits, err := pgops.Waits(ctx, a.conn)
	if err != nil {
		return WhoReport{}, unanswered(ctx, rb, err)
	}
	m, err := looked.Machine(server.Ends(sessions))
	if err != nil {
		return WhoReport{}, err
	}
	sc := a.scene(ctx, rb, m)
	slots := a.server.Slots
	r := WhoReport{OK: true, Target: targetOf(rb.pool.URL(), sc.srv), Route: a.route, Slots: slots, Usable: slots.Usable(), Free: slots.Free(), Sessions: []WhoSession{}}
	r.fill(ctx, sc, sessions)
	r.Blockers = blockers(waits, sessions, r.Sources)
	if r.Diagnosis = r.diagnose(rb.pool.URL().Limit); r.Diagnosis != nil && r.Diagnosis.next != "" {
		r.Next = rb.Command(r.Diagnosis.next)
	}
	r.addBouncer(ctx, sc, rb)
	return r, nil
}

// whenCrowded is the headline when more than half of the usable slots are
// taken, for targets that are about something else; empty otherwise, and where
// it can't be told.
func (a *access) whenCrowded(ctx context.Context, rb *Runbook, slots pgops.Slots) string {
	if slots.Used*2 <= slots.Usable() {
		return ""
	}
	sessions, err := pgops.Sessions(ctx, a.conn, "")
	if err != nil {
		return ""
	}
	r := WhoReport{Slots: slots, Usable: slots.Usable(), Free: slots.Free()}
	m, err := machine.Look(ctx)
	if err != nil {
		return ""
	}
	r.fill(ctx, a.scene(ctx, rb, m), sessions)
	r.Diagnosis = r.diagnose(rb.pool.URL().Limit)
	return r.Headline()
}

// fill finds the sources.
func (r *WhoReport) fill(ctx context.Context, sc scene, sessions []pgops.Session) {
	clients := sc.holders(ctx, sessions)
	r.Sources = sources(sc, sessions, clients)
	for _, s := range sessions {
		w := WhoSession{Session: s}
		if list := clients[s.PID].PIDs; len(list) > 0 {
			w.HolderPID = list[0]
		}
		w.PID = max(0, s.PID) // below: its backend is not known
		r.Sessions = append(r.Sessions, w)
	}
	slices.SortStableFunc(r.Sessions, func(a, b WhoSession) int { return a.HolderPID - b.HolderPID })
}

// Headline is the outcome for people, and the same line wherever slots run short.
func (r WhoReport) Headline() string {
	if len(r.Blockers) > 0 {
		return fmt.Sprintf("%s; %s in use", r.Blockers[0].Words(), slotsInUse(r.Slots))
	}
	processes := 0
	for _, s := range r.Sources {
		if s.PID != 0 {
			processes++
		}
	}
	noun := "processes"
	if processes == 1 {
		noun = "process"
	}
	line := fmt.Sprintf("%s held by %d local %s", slotsInUse(r.Slots), processes, noun)
	if r.Refusal != "" {
		line = fmt.Sprintf("No slot is left; %d connections seen from outside, held by %d local %s", len(r.Sessions), processes, noun)
	}
	if len(r.Sources) == 0 {
		return fmt.Sprintf("%s in use; no client session but our own", slotsInUse(r.Slots))
	}
	if others := len(r.Sources) - processes; others > 0 {
		line += fmt.Sprintf(" and by %d whose process can't be told from here", others)
	}
	if len(r.Sources) > 0 {
		line += fmt.Sprintf("; %s holds %d of them", r.Sources[0].Name(), r.Sources[0].Count)
		if idle := r.Sources[0].IdleWords(); idle != "" {
			line += ", " + idle
		}
	}
	if r.Diagnosis != nil && r.Diagnosis.Cause != CauseNotClear {
		line += ": " + r.Diagnosis.Text
	}
	return line
}

// slotsInUse is "5 of 17 usable slots"; where superusers use reserved ones,
// which are none of the usable, those are told apart.
func slotsInUse(s pgops.Slots) string {
	if over := s.Used - s.Usable(); over > 0 {
		return fmt.Sprintf("all %d usable slots and %d reserved ones", s.Usable(), over)
	}
	return fmt.Sprintf("%d of %d usable slots", s.Used, s.Usable())
}

// MarshalJSON leaves the slots out where there was no session to ask with.
func (r WhoReport) MarshalJSON() ([]byte, error) {
	type plain WhoReport
	if r.Refusal == "" {
		return json.Marshal(plain(r))
	}
	return json.Marshal(struct {
		plain
		Slots  *int `json:"slots,omitempty"`
		Usable *int `json:"usable,omitempty"`
		Free   *int `json:"free,omitempty"`
	}{plain: plain(r)})
}
