// Package machine is this machine at one moment: its processes, its sockets,
// who listens where and who holds the other end of a connection. A procedure
// looks once and hands what it saw down; nothing else in the engine looks for
// itself.
package machine

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/crash"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// Machine is what one look saw.
type Machine struct {
	At      time.Time // when the look began
	Table   *hostops.Table
	Sockets *hostops.Sockets

	ports    map[int][]int // by pid: that it listens on
	poolers  map[int]int   // by account: its only pooler; 0 where there are several
	unixEnds bool          // the sockets of PostgreSQL's own backends were read too
	engines  engines

	mu       sync.Mutex                // guards what is told when it is asked for
	projects map[string]Project        // by folder
	away     map[hostops.Identity]bool // whose paths are not ours
}

// maxAge is how old a look may be that something is decided by.
const maxAge = time.Second

// Look makes one pass over the processes and one over their sockets.
func Look(ctx context.Context) (*Machine, error) {
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	return at(ctx, table, true)
}

// Looking is a look that was begun beside something else that takes time, a
// login.
type Looking struct {
	ctx   context.Context
	began time.Time
	look  func() (*Machine, error)
}

// Begin looks while the caller does something else, without the command lines
// and sockets of PostgreSQL's own backends, most of all where there are most
// sessions: only the other ends of Unix sockets are found through them.
func Begin(ctx context.Context) *Looking {
	l := &Looking{ctx: ctx, began: time.Now(), look: sync.OnceValues(func() (*Machine, error) { return bare(ctx, false) })}
	go new(crash.Carried).Do(func() { _, _ = l.look() }) // whoever waits for the look gets its panic
	return l
}

// Machine waits for the look. It looks again where that was too long ago, or
// where it does not show one of these client ends (an invalid one stands for a
// Unix socket's).
func (l *Looking) Machine(ends []netip.AddrPort) (*Machine, error) {
	m, err := l.look()
	overSocket := slices.ContainsFunc(ends, func(e netip.AddrPort) bool { return !e.IsValid() })
	switch {
	case err != nil || time.Since(l.began) > maxAge:
		return bare(l.ctx, overSocket)
	case overSocket && !m.unixEnds || !m.shows(ends):
		return at(l.ctx, m.Table, overSocket)
	}
	return m, nil
}

func bare(ctx context.Context, unixEnds bool) (*Machine, error) {
	table, err := hostops.SnapshotBut(ctx, underPostgres)
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	return at(ctx, table, unixEnds)
}

// shows tells whether each local end of these was there already.
func (m *Machine) shows(ends []netip.AddrPort) bool {
	there := m.Sockets.Connected()
	return !slices.ContainsFunc(ends, func(e netip.AddrPort) bool { return e.IsValid() && !there[e] && hostops.LocalAddress(e.Addr()) })
}

// at reads the sockets beside a list of processes.
func at(ctx context.Context, table *hostops.Table, unixEnds bool) (*Machine, error) {
	m := &Machine{At: time.Now(), Table: table, ports: map[int][]int{}, poolers: poolersOf(table), unixEnds: unixEnds,
		projects: map[string]Project{}, away: map[hostops.Identity]bool{}}
	var err error
	m.Sockets, err = hostops.ReadSocketsBut(ctx, func(pid int) bool {
		p, _ := m.Table.Process(pid)
		return p.Kernel || !unixEnds && m.IsBackend(pid)
	})
	if err != nil {
		return nil, fmt.Errorf("look at the sockets: %w", err)
	}
	for _, l := range m.Sockets.Listeners() {
		if port := int(l.Addr.Port()); l.PID != 0 && !slices.Contains(m.ports[l.PID], port) {
			m.ports[l.PID] = append(m.ports[l.PID], port)
		}
	}
	return m, nil
}

// Process is what is known of a process, its executable and folder included;
// one that began after the look is looked at now, and of one that is gone
// again nothing is known.
func (m *Machine) Process(pid int) hostops.Process {
	if _, listed := m.Table.Process(pid); listed {
		return m.Table.Detail(pid)
	}
	p, _ := hostops.Find(pid)
	return p
}

// Ports are the TCP ports that a process listens on, lowest first.
func (m *Machine) Ports(pid int) []int { return slices.Sorted(slices.Values(m.ports[pid])) }

// PoolerOf is the only connection pooler of an account, whose sockets may be
// hidden from this user; 0 where there is none, or several.
func (m *Machine) PoolerOf(uid int) int { return m.poolers[uid] }

func poolersOf(table *hostops.Table) map[int]int {
	found := map[int]int{}
	for _, p := range table.All() {
		if hostops.KindOf(p) != hostops.Pooler {
			continue
		}
		if _, several := found[p.UID]; several {
			p.PID = 0
		}
		found[p.UID] = p.PID
	}
	return found
}
