package runbook

import (
	"context"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// settled counts the dev server's sessions until two looks agree.
func (v *verification) settled(ctx context.Context) (int, error) {
	last := -1
	for deadline := time.Now().Add(3 * time.Second); ; {
		n, err := v.count(ctx)
		if err != nil || n == last || time.Now().After(deadline) {
			return n, err
		}
		last = n
		if err := pause(ctx, 120*time.Millisecond); err != nil {
			return n, err
		}
	}
}

// count is the sessions of the dev server's processes; where their holders
// can't be told, those that are new in the database.
func (v *verification) count(ctx context.Context) (int, error) {
	sessions, err := pgops.Sessions(ctx, v.held.conn, v.rb.pool.URL().Database)
	if err != nil {
		return 0, err
	}
	m, err := machine.Look(ctx)
	if err != nil {
		return 0, err
	}
	if v.held.pooled { // the server's sessions are the pooler's: the dev server's are those at the pooler
		n := 0
		for _, c := range m.Sockets.Connections(placeOf(v.rb.pool.URL()).Port) {
			if c.PID != 0 && v.server.owns(m.Table, c.PID) {
				n++
			}
		}
		v.report.CountedBy = "process"
		return n, nil
	}
	clients := v.held.on(ctx, m).Clients(ctx, m, sessions)
	byProcess, byDatabase := 0, 0
	for _, s := range sessions {
		if s.ApplicationName == pgops.ApplicationName {
			continue
		}
		holders := clients[s.PID].PIDs
		if len(holders) > 0 && v.server.owns(m.Table, holders[0]) {
			byProcess++
		}
		if len(holders) == 0 && !v.before[s.ID()] {
			byDatabase++
		}
	}
	if byProcess > 0 || v.report.CountedBy == "process" || byDatabase == 0 {
		v.report.CountedBy = "process"
		return byProcess, nil
	}
	v.report.CountedBy = "database"
	return byDatabase, nil
}

// judge draws the line through the counts and, where it grows, waits whether
// the pools left behind give their sessions back.
func (v *verification) judge(ctx context.Context) error {
	r := v.report
	r.Verdict, r.OK = VerdictClean, true
	counts := make([]int, len(r.Reloads))
	for i, reload := range r.Reloads {
		counts[i] = reload.Sessions
	}
	each, base := growthOf(counts, v.clients.limit), r.Base
	r.Growth = each
	switch {
	case r.Request > 0:
		each, base = r.Request, v.clients.limit
	case each < leastGrowing:
		return nil
	}
	r.Verdict, r.OK, r.Next = VerdictLeaks, false, v.rb.Command("dev:check")+" names the places and the lines to write"
	sample, err := pgops.TakeSample(ctx, v.held.conn, v.rb.pool.URL().Database)
	if err != nil {
		return err
	}
	r.FullAfter = int(float64(sample.Slots.Free())/each + 0.5)
	done := v.rb.waiting("waiting whether the pools left behind close their sessions")
	defer done()
	for began := time.Now(); time.Since(began) < healWithin; {
		n, err := v.count(ctx)
		if err != nil {
			return err
		}
		if n <= base {
			r.Verdict, r.HealedMS = VerdictHeals, time.Since(began).Milliseconds()
			return nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// growthOf is how many sessions a reload adds, from the first count on. A pool
// that is left behind keeps a session at least, so each reload adds one; counts
// that rise now and then, and stay within the limit of one pool, are of one pool
// that filled up late.
func growthOf(counts []int, limit int) float64 {
	n := len(counts)
	if n < 2 {
		return 0
	}
	peak, rises := slices.Max(counts), 0
	for i := range n - 1 {
		if counts[i+1] > counts[i] {
			rises++
		}
	}
	if peak <= limit && rises < n-1 {
		return 0
	}
	growth := float64(counts[n-1]-counts[0]) / float64(n-1)
	if n > 2 && growth < leastGrowing { // it grew, and fell again: still it left pools behind
		growth = max(growth, float64(peak-counts[0])/float64(n-1))
	}
	return growth
}
