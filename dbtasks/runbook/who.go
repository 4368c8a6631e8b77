package runbook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
)

// WhoReport is who holds the server's connections, sessions of every database.
type WhoReport struct {
	OK       bool         `json:"ok"`
	Target   Target       `json:"target"`
	Route    Route        `json:"route"`
	Slots    pgops.Slots  `json:"slots"`
	Usable   int          `json:"usable"`
	Free     int          `json:"free"`
	Sources  []Source     `json:"sources"`           // most sessions first
	Sessions []WhoSession `json:"sessions"`          // by source, oldest first
	Refusal  string       `json:"refusal,omitempty"` // why there was no session to ask with; then slots are not known
	// Bouncer is the PgBouncer that DATABASE_URL leads to, with its clients.
	Bouncer *Bouncer `json:"pgbouncer,omitempty"`
}

// WhoSession is one session and its holder.
type WhoSession struct {
	pgops.Session
	HolderPID int `json:"holder_pid,omitempty"`
}

// Who says who holds the connections. It climbs the ladder up to the reserved
// slots and ends nothing; with no slot at all it tells what sockets and process
// titles tell.
func Who(ctx context.Context, deps *Deps) (WhoReport, error) {
	looked := lookBeside(ctx)
	a, err := open(ctx, deps, openOptions{caller: "db:who", looked: looked})
	if f := AsFailure(err); f != nil && pgops.Cause(f.Code).NoSlot() {
		return whoWithoutSession(ctx, deps, f)
	}
	if err != nil {
		return WhoReport{}, err
	}
	defer a.release()
	sessions, err := pgops.Sessions(ctx, a.conn, "")
	if err != nil {
		return WhoReport{}, err
	}
	h, err := looked(sessions)
	if err != nil {
		return WhoReport{}, err
	}
	if a.pooled || h.poolerPossible(ctx, deps) {
		h.bouncer = h.askBouncer(ctx, deps)
	}
	slots := a.server.Slots
	r := WhoReport{OK: true, Target: *a.locate(ctx, deps, h.sockets), Route: a.route, Slots: slots, Usable: slots.Usable(), Free: slots.Free(), Sessions: []WhoSession{}}
	r.fill(h, deps.Config.Root, sessions)
	r.addBouncer(h, deps)
	return r, nil
}

// whenCrowded is the headline when more than half of the usable slots are
// taken, for targets that are about something else; empty otherwise, and where
// it can't be told.
func whenCrowded(ctx context.Context, deps *Deps, conn *pgx.Conn, target Target, slots pgops.Slots) string {
	if slots.Used*2 <= slots.Usable() {
		return ""
	}
	sessions, err := pgops.Sessions(ctx, conn, "")
	if err != nil {
		return ""
	}
	r := WhoReport{Target: target, Slots: slots, Usable: slots.Usable(), Free: slots.Free()}
	h, err := look(ctx, sessions)
	if err != nil {
		return ""
	}
	r.fill(h, deps.Config.Root, sessions)
	return r.Headline()
}

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

// fill finds the sources.
func (r *WhoReport) fill(h host, root string, sessions []pgops.Session) {
	clients := backendClients(h, r.Target.clientsPort(), sessions)
	r.Sources = sources(h, root, r.Target.clientsPort(), sessions, clients)
	for _, s := range sessions {
		w := WhoSession{Session: s}
		if list := clients[s.PID]; len(list) > 0 {
			w.HolderPID = list[0]
		}
		r.Sessions = append(r.Sessions, w)
	}
	slices.SortStableFunc(r.Sessions, func(a, b WhoSession) int { return a.HolderPID - b.HolderPID })
}

// Headline is the outcome for people, and the same line wherever slots run short.
func (r WhoReport) Headline() string {
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
	line := fmt.Sprintf("%d of %d usable slots held by %d local %s", r.Slots.Used, r.Usable, processes, noun)
	if r.Refusal != "" {
		line = fmt.Sprintf("No slot is left; %d connections seen from outside, held by %d local %s", len(r.Sessions), processes, noun)
	}
	if len(r.Sources) == 0 {
		return fmt.Sprintf("%d of %d usable slots in use; no client session but our own", r.Slots.Used, r.Usable)
	}
	if others := len(r.Sources) - processes; others > 0 {
		line += fmt.Sprintf(" and by %d whose process can't be told from here", others)
	}
	if len(r.Sources) > 0 {
		line += fmt.Sprintf("; %s holds %d of them, %d idle", r.Sources[0].Name(), r.Sources[0].Count, r.Sources[0].Idle)
	}
	return line
}
