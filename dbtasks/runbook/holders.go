package runbook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// backendClients maps the backends of sessions to the pids of the local
// processes at their other ends. Sessions of other machines, of containers and
// of other users' processes are not in the map: their holders can't be told
// from here. But what another user with one pooler holds, and what PgBouncer's
// console says is its own, is the pooler's.
func backendClients(h host, port int, sessions []pgops.Session) map[int][]int {
	byClient := map[netip.AddrPort][]int{}
	for _, c := range h.sockets.Connections(port) {
		if c.PID == 0 && c.UID >= 0 {
			c.PID = h.poolers[c.UID]
		}
		if c.PID != 0 {
			byClient[c.Local] = append(byClient[c.Local], c.PID)
		}
	}
	clients := h.sockets.UnixClients(port) // by the pids of all that serve the socket
	for _, s := range sessions {
		if s.ClientPort < 0 {
			continue
		}
		delete(clients, s.PID)
		if end, ok := clientEnd(s); ok && len(byClient[end]) > 0 {
			clients[s.PID] = byClient[end]
		}
	}
	for _, s := range sessions {
		if _, ok := h.bouncer.server(s); ok && h.bouncer.PID != 0 {
			clients[s.PID] = []int{h.bouncer.PID}
		}
	}
	return clients
}

// ownerGone tells whether a session's client was a process of this machine
// that is dead: its end of the connection does not exist any more, and the
// backend, which runs a statement, has not noticed.
func ownerGone(sockets *hostops.Sockets, port int, s pgops.Session) bool {
	end, ok := clientEnd(s)
	return ok && !sockets.Has(end, port) && hostops.LocalAddress(end.Addr())
}

// clientEnd is the client's end of a session; there is none over a Unix socket
// and where it is hidden.
func clientEnd(s pgops.Session) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(s.ClientAddr)
	return netip.AddrPortFrom(addr.Unmap(), uint16(s.ClientPort)), err == nil && s.ClientPort > 0
}

// ofThisProject are the backends whose clients are running processes of this
// project.
func ofThisProject(h host, root string, clients map[int][]int) []int {
	ours := map[int]bool{} // by pid of the client
	var backends []int
	for backend, pids := range clients {
		for _, pid := range pids {
			if _, known := ours[pid]; !known {
				p := h.process(pid)
				ours[pid] = p.State == hostops.Running && ofProject(p, root)
			}
			if ours[pid] {
				backends = append(backends, backend)
				break
			}
		}
	}
	return backends
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
