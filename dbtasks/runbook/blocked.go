package runbook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// Blocker is a session that others wait for, and that waits for nobody itself:
// the root of a chain.
type Blocker struct {
	Session
	Holder   string   `json:"holder,omitempty"` // the process, with its project; empty: not told
	Prepared bool     `json:"prepared"`         // no session: a prepared transaction, which survives its session
	Lock     string   `json:"lock,omitempty"`   // what the first of them waits for
	Waiting  []Waiter `json:"waiting"`          // all that wait for it, directly or behind others, nearest first
}

// Waiter is one session of a chain.
type Waiter struct {
	pgops.Wait
	Depth int `json:"depth"` // 1: waits for the root itself
}

// blockers are the roots of the chains, the one with most sessions behind it
// first. A session of a circle, which the server breaks itself after
// deadlock_timeout, is the root of nothing.
func blockers(waits []pgops.Wait, sessions []pgops.Session, sources []Source) []Blocker {
	list := []Blocker{}
	waits = slices.Clone(waits)
	waiting := map[int]bool{}
	for _, w := range waits {
		waiting[w.PID] = true
	}
	roots := map[int]bool{}
	for _, w := range waits {
		for _, by := range w.BlockedBy {
			if waiting[by] || roots[by] {
				continue
			}
			roots[by] = true
			b := Blocker{Prepared: by == 0, Lock: w.Lock, Waiting: behind(by, waits)}
			b.PID = by
			for _, s := range sessions {
				if s.PID == by && by != 0 {
					b.Session = s
				}
			}
			for _, source := range sources {
				if slices.ContainsFunc(source.Members, func(id SessionID) bool { return id.PID == by }) {
					b.Holder = source.Name()
				}
			}
			list = append(list, b)
		}
	}
	slices.SortStableFunc(list, func(a, b Blocker) int { return cmp.Compare(len(b.Waiting), len(a.Waiting)) })
	return list
}

// behind are the sessions that wait for one, and for these.
func behind(root int, waits []pgops.Wait) (list []Waiter) {
	seen := map[int]bool{root: true}
	for depth, at := 1, []int{root}; len(at) > 0; depth++ {
		var next []int
		for _, w := range waits {
			if !seen[w.PID] && slices.ContainsFunc(at, func(pid int) bool { return slices.Contains(w.BlockedBy, pid) }) {
				seen[w.PID] = true
				next = append(next, w.PID)
				list = append(list, Waiter{w, depth})
			}
		}
		at = next
	}
	return list
}

// Words is the chain in one sentence, without a full stop.
func (b Blocker) Words() string {
	line := fmt.Sprintf("%s for pid %d", waitFor(len(b.Waiting)), b.PID)
	if b.Prepared {
		return fmt.Sprintf("%s for a prepared transaction (pg_prepared_xacts lists them)", waitFor(len(b.Waiting)))
	}
	var about []string
	if b.State != "" && b.State != pgops.StateHidden {
		state := string(b.State)
		if b.Age > 0 {
			state += " for " + plain.Age(b.Age)
		}
		about = append(about, state)
	}
	if b.Lock != "" && b.Lock != "transaction" {
		about = append(about, "holds "+b.Lock)
	}
	if b.Holder != "" {
		about = append(about, b.Holder)
	} else if b.ApplicationName != "" {
		about = append(about, b.ApplicationName)
	}
	if len(about) > 0 {
		line += " (" + strings.Join(about, ", ") + ")"
	}
	return line
}

func waitFor(n int) string {
	if n == 1 {
		return "1 session waits"
	}
	return fmt.Sprintf("%d sessions wait", n)
}

// blockedBySpared says that others wait for a session that was left alone, and
// the command that ends that one.
func (r *CleanupReport) blockedBySpared(ctx context.Context, rb *Runbook, a *access, now []Session) error {
	inUse := func(j Judged) bool { return j.Verdict.InUse() || j.Verdict == pgops.VerdictBusy }
	if !slices.ContainsFunc(r.Spared, inUse) {
		return nil
	}
	waits, err := pgops.Waits(ctx, a.conn)
	if err != nil {
		return err
	}
	for _, b := range blockers(waits, now, r.InUseBy) {
		if i := slices.IndexFunc(r.Spared, func(j Judged) bool { return j.PID == b.PID && inUse(j) }); i >= 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s, which is spared: %s", b.Words(), r.Spared[i].Verdict))
			r.Next = cmp.Or(r.Next, rb.Command(fmt.Sprintf("db:cleanup -pid=%d", b.PID)))
		}
	}
	return nil
}
