package runbook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// host is this machine at one moment.
type host struct {
	sockets *hostops.Sockets
	table   *hostops.Table
	ports   map[int][]int // by pid: that it listens on
	poolers map[int]int   // by account: its only pooler; 0 where there are several
	bouncer *Bouncer      // what PgBouncer's console tells; nil: nobody asked, or there is none
}

// look makes one pass over the processes and one over their sockets. The
// descriptors of PostgreSQL's own backends, most of all where there are most
// sessions, are read only where one of these came over a Unix socket.
func look(ctx context.Context, sessions []pgops.Session) (host, error) {
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return host{}, fmt.Errorf("list the processes: %w", err)
	}
	return lookAt(ctx, sessions, table)
}

// looking waits for a look that was begun before, and looks again where it does
// not show a session's other end.
type looking func(sessions []pgops.Session) (host, error)

// lookBeside looks while the server answers, without the command lines of
// PostgreSQL's own processes.
func lookBeside(ctx context.Context) looking {
	began := time.Now()
	look := sync.OnceValues(func() (host, error) { return lookBare(ctx, nil) })
	go func() { _, _ = look() }()
	return func(sessions []pgops.Session) (host, error) {
		h, err := look()
		switch {
		case err != nil || time.Since(began) > lookAge:
			return lookBare(ctx, sessions)
		case !h.shows(sessions):
			return lookAt(ctx, sessions, h.table)
		}
		return h, nil
	}
}

// lookAge is how old a look may be that something is decided by.
const lookAge = time.Second

func lookBare(ctx context.Context, sessions []pgops.Session) (host, error) {
	table, err := hostops.SnapshotBut(ctx, postgresUnderPostgres)
	if err != nil {
		return host{}, fmt.Errorf("list the processes: %w", err)
	}
	return lookAt(ctx, sessions, table)
}

// shows tells whether the client of every session that has one on this machine
// is among the sockets. Those of Unix sockets are not: see lookAt.
func (h host) shows(sessions []pgops.Session) bool {
	connected := h.sockets.Connected()
	return !slices.ContainsFunc(sessions, func(s pgops.Session) bool {
		end, ok := clientEnd(s)
		return s.ClientPort < 0 || ok && !connected[end] && hostops.LocalAddress(end.Addr())
	})
}

func lookAt(ctx context.Context, sessions []pgops.Session, table *hostops.Table) (host, error) {
	h := host{table: table, ports: map[int][]int{}, poolers: poolersOf(table)}
	var err error
	overSocket := slices.ContainsFunc(sessions, func(s pgops.Session) bool { return s.ClientPort < 0 })
	h.sockets, err = hostops.ReadSocketsBut(ctx, func(pid int) bool {
		p, _ := table.Process(pid)
		return p.Kernel || !overSocket && isBackend(table, pid)
	})
	if err != nil {
		return h, fmt.Errorf("look for the clients: %w", err)
	}
	for _, l := range h.sockets.Listeners() {
		if port := int(l.Addr.Port()); l.PID != 0 && !slices.Contains(h.ports[l.PID], port) {
			h.ports[l.PID] = append(h.ports[l.PID], port)
		}
	}
	return h, nil
}

// process is what is known of a process; one that began after the listing is
// looked at now, and of one that is gone again nothing is known.
func (h host) process(pid int) hostops.Process {
	if _, listed := h.table.Process(pid); listed {
		return h.table.Detail(pid)
	}
	p, _ := hostops.Find(pid)
	return p
}

// isBackend tells whether a process is a child of PostgreSQL's own. It may be
// wrong about what only calls itself postgres: that is then not named.
func isBackend(table *hostops.Table, pid int) bool {
	p, _ := table.Process(pid)
	parent, _ := table.Process(p.PPID)
	return postgresUnderPostgres(p, parent)
}

func postgresUnderPostgres(p, parent hostops.Process) bool {
	return p.Name == "postgres" && parent.Name == "postgres"
}
