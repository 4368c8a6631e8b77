package runbook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
)

// clientsOf maps the backends of sessions to the local processes at their
// other ends. Sessions of other machines, of containers and of other users'
// processes are not in the map: their holders can't be told from here.
func clientsOf(ctx context.Context, target Target, sessions []pgops.Session) (map[int][]hostops.Process, error) {
	holders := map[int][]hostops.Process{}
	var tcp, socket bool
	for _, s := range sessions {
		tcp = tcp || s.ClientPort > 0
		socket = socket || s.ClientPort < 0
	}
	found := map[int]hostops.Process{}
	add := func(backend, pid int) {
		p, ok := found[pid]
		if !ok {
			var err error
			if p, err = hostops.Find(pid); err != nil {
				return // gone meanwhile
			}
			found[pid] = p
		}
		holders[backend] = append(holders[backend], p)
	}
	sockets, err := hostops.ReadSockets(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the clients of port %d: %w", target.Port, err)
	}
	if tcp {
		byClient := map[netip.AddrPort][]int{}
		for _, c := range sockets.Connections(target.Port) {
			if c.PID != 0 {
				byClient[c.Local] = append(byClient[c.Local], c.PID)
			}
		}
		for _, s := range sessions {
			addr, err := netip.ParseAddr(s.ClientAddr)
			if err != nil || s.ClientPort <= 0 {
				continue
			}
			for _, pid := range byClient[netip.AddrPortFrom(addr.Unmap(), uint16(s.ClientPort))] {
				add(s.PID, pid)
			}
		}
	}
	if socket {
		peers := sockets.UnixClients(target.Port)
		for _, s := range sessions {
			if s.ClientPort < 0 {
				for _, pid := range peers[s.PID] {
					add(s.PID, pid)
				}
			}
		}
	}
	return holders, nil
}

// projectSessions are the backends whose clients are running processes of this
// project, this tool's own left out.
func projectSessions(ctx context.Context, deps *Deps, a *access) ([]int, error) {
	sessions, err := pgops.Sessions(ctx, a.conn, a.target.Database)
	if err != nil {
		return nil, err
	}
	holders, err := clientsOf(ctx, a.target, sessions)
	if err != nil {
		return nil, err
	}
	var pids []int
	for backend, processes := range holders {
		for _, p := range processes {
			if p.State == hostops.Running && ofProject(p, deps.Config.Root) {
				pids = append(pids, backend)
				break
			}
		}
	}
	return pids, nil
}

// ofProject tells whether a process works for this project: its working
// directory lies under the project's root.
func ofProject(p hostops.Process, root string) bool {
	return p.Dir != "" && hostops.Under(p.Dir, root)
}

// nameHolders adds to a failure for want of slots who holds them: the local
// processes at the client ends, by the sockets alone, most sessions first. It
// tells whether this project's own are among them.
func nameHolders(ctx context.Context, deps *Deps, port int, f *Failure) (ours bool) {
	sockets, err := hostops.ReadSockets(ctx)
	if err != nil {
		return false
	}
	count := map[int]int{}
	hidden := 0
	for _, c := range sockets.Connections(port) {
		if c.PID == 0 {
			hidden++
		} else {
			count[c.PID]++
		}
	}
	for _, clients := range sockets.UnixClients(port) {
		for _, pid := range clients {
			count[pid]++
		}
	}
	delete(count, os.Getpid())
	pids := slices.SortedFunc(maps.Keys(count), func(a, b int) int { return cmp.Or(count[b]-count[a], a-b) })
	for i, pid := range pids {
		p, err := hostops.Find(pid)
		if err != nil || i == mostHolders {
			break
		}
		if hostops.KindOf(p) == hostops.Postgres {
			continue // the server's own ends
		}
		whose := ""
		if ofProject(p, deps.Config.Root) {
			whose = "; of this project"
			ours = true
		}
		f.Details = append(f.Details, fmt.Sprintf("%d connections held by %s (pid %d, %s%s)", count[pid], p.Command(), pid, p.Dir, whose))
	}
	if hidden > 0 {
		f.Details = append(f.Details, fmt.Sprintf("%d connections held by processes of other users", hidden))
	}
	return ours
}

// mostHolders is how many processes a failure names.
const mostHolders = 8
