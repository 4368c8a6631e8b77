package runbook

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
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
}

// Source is one holder: a local process, or, where that can't be told, what
// application, role and address have in common.
type Source struct {
	PID          int       `json:"pid,omitempty"` // 0: not told: another machine's, a container's, another user's process
	Command      string    `json:"command,omitempty"`
	Dir          string    `json:"dir,omitempty"`
	Project      string    `json:"project,omitempty"` // nearest folder upwards with package.json, go.mod or .git
	Ours         bool      `json:"ours"`              // of the project that this tool was called for
	Parents      []string  `json:"parents,omitempty"` // nearest first
	Started      time.Time `json:"started,omitzero"`
	Ports        []int     `json:"ports,omitempty"` // that it listens on
	Stopped      bool      `json:"stopped"`         // frozen (Ctrl+Z): it keeps its sessions for ever
	Dead         bool      `json:"dead"`            // a process of this machine that is gone; the server has not noticed
	Applications []string  `json:"applications"`
	Roles        []string  `json:"roles"`
	Databases    []string  `json:"databases"`
	Addr         string    `json:"addr,omitempty"` // of the client; empty: Unix socket, or hidden
	Count        int       `json:"count"`
	Idle         int       `json:"idle"`
	LastMinute   int       `json:"last_minute"` // of Count, opened within the last minute
	OldestMS     int64     `json:"oldest_ms"`   // since the oldest was opened; 0: hidden
	Pools        int       `json:"pools"`       // separate pools within the process, by the times of their sessions
	LeftBehind   int       `json:"left_behind"` // idle sessions of all pools but the newest: left by reloads
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
	// The processes are listed while the server answers. A process that starts
	// meanwhile is looked at by itself.
	type listing struct {
		table *hostops.Table
		err   error
	}
	listed := make(chan listing, 1)
	go func() {
		table, err := hostops.Snapshot(ctx)
		listed <- listing{table, err}
	}()
	a, err := open(ctx, deps, openOptions{caller: "db:who"})
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
	processes := <-listed
	if processes.err != nil {
		return WhoReport{}, fmt.Errorf("list the processes: %w", processes.err)
	}
	h, err := lookAt(ctx, sessions, processes.table)
	if err != nil {
		return WhoReport{}, err
	}
	slots := a.server.Slots
	r := WhoReport{OK: true, Target: *a.locate(ctx, deps, h.sockets), Route: a.route, Slots: slots, Usable: slots.Usable(), Free: slots.Free(), Sessions: []WhoSession{}}
	r.fill(h, deps.Config.Root, sessions)
	return r, nil
}

// whenCrowded is the headline when more than half of the usable slots are
// taken, for targets that are about something else; empty otherwise, and where
// it can't be told.
func whenCrowded(ctx context.Context, deps *Deps, conn *pgx.Conn, place Place, slots pgops.Slots) string {
	if slots.Used*2 <= slots.Usable() {
		return ""
	}
	sessions, err := pgops.Sessions(ctx, conn, "")
	if err != nil {
		return ""
	}
	r := WhoReport{Target: Target{Place: place}, Slots: slots, Usable: slots.Usable(), Free: slots.Free()}
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

func lookAt(ctx context.Context, sessions []pgops.Session, table *hostops.Table) (host, error) {
	h := host{table: table, ports: map[int][]int{}}
	var err error
	overSocket := slices.ContainsFunc(sessions, func(s pgops.Session) bool { return s.ClientPort < 0 })
	h.sockets, err = hostops.ReadSocketsBut(ctx, func(pid int) bool { return !overSocket && isBackend(h.table, pid) })
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

// isBackend tells whether a process is a child of PostgreSQL's own. It may be
// wrong about what only calls itself postgres: that is then not named.
func isBackend(table *hostops.Table, pid int) bool {
	p, _ := table.Process(pid)
	parent, _ := table.Process(p.PPID)
	return p.Name == "postgres" && parent.Name == "postgres"
}

// fill finds the sources.
func (r *WhoReport) fill(h host, root string, sessions []pgops.Session) {
	clients := backendClients(h.sockets, r.Target.Port, sessions)
	r.Sources = sources(h, root, r.Target.Port, sessions, clients)
	for _, s := range sessions {
		w := WhoSession{Session: s}
		if list := clients[s.PID]; len(list) > 0 {
			w.HolderPID = list[0]
		}
		r.Sessions = append(r.Sessions, w)
	}
	slices.SortStableFunc(r.Sessions, func(a, b WhoSession) int { return a.HolderPID - b.HolderPID })
}

// sources groups sessions by the process that holds them, most sessions first.
func sources(h host, root string, port int, sessions []pgops.Session, clients map[int][]int) []Source {
	grouped := map[string][]pgops.Session{}
	pids := map[string]int{}
	for _, s := range sessions {
		key := strings.Join([]string{s.ApplicationName, s.Role, s.ClientAddr}, "\x00")
		if list := clients[s.PID]; len(list) > 0 {
			key = fmt.Sprint(list[0])
			pids[key] = list[0]
		} else if ownerGone(h.sockets, port, s) {
			key += "\x00dead"
		}
		grouped[key] = append(grouped[key], s)
	}
	list := []Source{}
	for key, group := range grouped {
		src := sourceOf(group)
		src.Dead = strings.HasSuffix(key, "\x00dead")
		if pid := pids[key]; pid != 0 {
			src.describe(h.table, pid, h.ports[pid], root)
		}
		list = append(list, src)
	}
	slices.SortFunc(list, func(a, b Source) int {
		return cmp.Or(b.Count-a.Count, a.PID-b.PID, strings.Compare(a.Addr+strings.Join(a.Applications, ","), b.Addr+strings.Join(b.Applications, ",")))
	})
	return list
}

// sourceOf sums up the sessions of one source.
func sourceOf(list []pgops.Session) Source {
	now := time.Now()
	src := Source{Count: len(list), Addr: list[0].ClientAddr}
	for _, s := range list {
		src.Applications = addOnce(src.Applications, s.ApplicationName)
		src.Roles = addOnce(src.Roles, s.Role)
		src.Databases = addOnce(src.Databases, s.Database)
		if s.State == pgops.StateIdle {
			src.Idle++
		}
		if s.BackendStart != nil {
			age := now.Sub(*s.BackendStart)
			src.OldestMS = max(src.OldestMS, age.Milliseconds())
			if age < time.Minute {
				src.LastMinute++
			}
		}
	}
	src.Pools, src.LeftBehind = pools(list, now)
	return src
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// describe adds what is known of the process.
func (src *Source) describe(table *hostops.Table, pid int, ports []int, root string) {
	p := table.Detail(pid)
	if _, known := table.Process(pid); !known {
		p, _ = hostops.Find(pid) // it started after the listing; gone again: nothing is known of it
	}
	src.PID, src.Command, src.Dir, src.Started = pid, p.Command(), p.Dir, p.StartTime
	src.Project, src.Ours, src.Stopped = hostops.Project(p.Dir), ofProject(p, root), p.State == hostops.Stopped
	src.Ports = slices.Sorted(slices.Values(ports))
	for _, up := range table.Ancestors(pid) {
		if up.PID == 1 || len(src.Parents) == 4 {
			break
		}
		src.Parents = append(src.Parents, fmt.Sprintf("%s (pid %d)", up.Command(), up.PID))
	}
}

// poolSlack is how much later than asked for a pool's session may begin: the
// sessions of one burst log in side by side.
const poolSlack = time.Second

// pools tells how many separate pools the sessions of one process are, and how
// many sessions belong to all but the newest. A pool opens a session only when
// none of its own lies idle: a session that began while another had been idle
// for a while, and is idle still, belongs to another pool. Sessions whose
// times are hidden count as one pool.
func pools(list []pgops.Session, now time.Time) (count, leftBehind int) {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b pgops.Session) int { return a.ID().BackendStart.Compare(b.ID().BackendStart) })
	var current []pgops.Session
	idleSince := func(s pgops.Session) time.Time { return now.Add(-s.Age) }
	for _, s := range sorted {
		for _, old := range current {
			if s.BackendStart != nil && old.State == pgops.StateIdle && old.BackendStart != nil && idleSince(old).Add(poolSlack).Before(*s.BackendStart) {
				count++
				for _, left := range current {
					if left.State == pgops.StateIdle {
						leftBehind++
					}
				}
				current = nil
				break
			}
		}
		current = append(current, s)
	}
	return count + 1, leftBehind
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
	if others := len(r.Sources) - processes; others > 0 {
		line += fmt.Sprintf(" and by %d whose process can't be told from here", others)
	}
	if len(r.Sources) > 0 {
		line += fmt.Sprintf("; %s holds %d of them, %d idle", r.Sources[0].Name(), r.Sources[0].Count, r.Sources[0].Idle)
	}
	return line
}

// Name is a source for people: "node vite dev (pid 4242, ~/shop, port 3000)".
func (s Source) Name() string {
	if s.PID == 0 {
		name := strings.Join(s.Applications, ", ")
		if name == "" {
			name = "a client without application_name"
		}
		if s.Dead {
			return name + " (its process is dead, the server has not noticed)"
		}
		if s.Addr != "" {
			name += " at " + s.Addr
		}
		return name + " (process unknown)"
	}
	parts := []string{fmt.Sprintf("pid %d", s.PID)}
	if s.Dir != "" {
		parts = append(parts, tilde(s.Dir))
	}
	for _, port := range s.Ports {
		parts = append(parts, fmt.Sprintf("port %d", port))
	}
	if s.Stopped {
		parts = append(parts, "stopped")
	}
	return fmt.Sprintf("%s (%s)", s.Command, strings.Join(parts, ", "))
}

// tilde shortens the user's home folder as shells do.
func tilde(dir string) string {
	home, err := os.UserHomeDir()
	if err == nil && len(home) > 1 && (dir == home || strings.HasPrefix(dir, home+string(os.PathSeparator))) {
		return "~" + dir[len(home):]
	}
	return dir
}
