package server

import (
	"context"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// knockPatience is how long a postmaster is given to fork for a connection, and
// to notice its end: measured, under 5 ms on a quiet machine.
const knockPatience = time.Second

// knockHold is how long a child has to be without a word from its client to be
// taken for ours: one of somebody's login has its own title after 1 to 5 ms.
const knockHold = 20 * time.Millisecond

// knock finds the postmaster that accepts at the address by what it does: for
// every connection it forks a child at once, before the login, also when every
// slot is taken; the child still has its parent's title, and is gone when the
// connection is closed. Nothing is sent, and nothing is logged for it
// (PostgreSQL's ProcessStartupPacket is silent about a connection without a
// word). Three rounds with the same single answer count, and more are made while
// there are several: other servers fork for logins of their own meanwhile. It may
// be asked for servers of other accounts and in containers: their processes are
// there for everybody to see.
func (s *Server) knock(ctx context.Context, m *machine.Machine) (hostops.Process, bool) {
	candidates := m.Postmasters()
	if len(candidates) == 0 {
		return hostops.Process{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 3*knockPatience)
	defer cancel()
	for round := 1; len(candidates) > 0 && ctx.Err() == nil; round++ {
		if candidates = s.knockOnce(ctx, candidates); len(candidates) == 1 && round >= 3 {
			return candidates[0], true
		}
	}
	return hostops.Process{}, false
}

// knockOnce is one round: those of the candidates that forked for our
// connection, and whose child went with it.
func (s *Server) knockOnce(ctx context.Context, candidates []hostops.Process) []hostops.Process {
	before := forked(ctx, candidates)
	conn, err := s.Address.Dial(ctx)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if local, remote, ok := ends(conn); ok {
		if end, here := farEnd(ctx, local, remote); here {
			s.uid = end.UID
		} else if !hostops.LocalAddress(remote.Addr()) {
			s.uid = -1
		}
	}
	var born map[int][]hostops.Identity // without a title now, and not there before
	first := map[hostops.Identity]time.Time{}
	if !poll(ctx, func() bool {
		held := false
		born = forked(ctx, candidates)
		for pid, children := range born {
			children = slices.DeleteFunc(children, func(c hostops.Identity) bool { return slices.Contains(before[pid], c) })
			if born[pid] = children; len(children) == 0 {
				delete(born, pid)
			}
			for _, c := range children {
				if first[c].IsZero() {
					first[c] = time.Now()
				}
				held = held || time.Since(first[c]) >= knockHold
			}
		}
		return held
	}) {
		return nil
	}
	_ = conn.Close()
	gone := func(list []hostops.Identity) bool { return slices.ContainsFunc(list, hostops.Gone) }
	poll(ctx, func() bool {
		return !slices.ContainsFunc(candidates, func(p hostops.Process) bool { return born[p.PID] != nil && !gone(born[p.PID]) })
	})
	return slices.DeleteFunc(slices.Clone(candidates), func(p hostops.Process) bool { return !gone(born[p.PID]) })
}

// forked are the children of each candidate that nobody has logged in to yet:
// their title is still their parent's.
func forked(ctx context.Context, candidates []hostops.Process) map[int][]hostops.Identity {
	found := map[int][]hostops.Identity{}
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return found
	}
	for _, p := range candidates {
		for _, c := range table.Children(p.PID) {
			if c.Title() == p.Title() && c.State != hostops.Zombie {
				found[p.PID] = append(found[p.PID], c.Identity)
			}
		}
	}
	return found
}

// poll asks until the answer is yes, for knockPatience at most.
func poll(ctx context.Context, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, knockPatience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if done() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
