package runbook

import (
	"cmp"
	"maps"
	"os"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// poolersOf are the poolers by their account; 0 for an account with several.
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

// server is the pooler's own end of a session.
func (b *Bouncer) server(s pgops.Session) (pgops.BouncerServer, bool) {
	if b == nil {
		return pgops.BouncerServer{}, false
	}
	for _, server := range b.console.Servers {
		samePort := server.LocalPort == s.ClientPort || server.LocalPort == 0 && s.ClientPort < 0 || s.ClientPort == 0
		if server.BackendPID == s.PID && samePort {
			return server, true
		}
	}
	return pgops.BouncerServer{}, false
}

// inUse are the backends that a pooler holds, and not for nobody: linked to a
// client of its, or, where its console does not tell, perhaps so. In session
// mode a client that does nothing loses its session with the backend.
func (h host) inUse(sessions []pgops.Session, clients map[int][]int) []int {
	var list []int
	for _, s := range sessions {
		if server, known := h.bouncer.server(s); known {
			if server.InUse {
				list = append(list, s.PID)
			}
			continue
		}
		for _, pid := range clients[s.PID] {
			if hostops.KindOf(h.process(pid)) == hostops.Pooler {
				list = append(list, s.PID)
				break
			}
		}
	}
	return list
}

// addBouncer adds who holds the pooler's clients.
func (r *WhoReport) addBouncer(h host, deps *Deps) {
	url, err := deps.Config.Database()
	if h.bouncer == nil || err != nil {
		return
	}
	r.Bouncer = h.bouncer
	port := int(url.Hosts[0].Port)
	var sessions []pgops.Session
	overSocket := map[int][]int{}
	for i, c := range h.bouncer.console.Clients {
		s := pgops.Session{PID: -i - 1, Role: c.Role, Database: c.Database, ApplicationName: c.Application, State: c.State,
			ClientAddr: c.Addr, ClientPort: c.Port, Age: c.Age, AgeMS: c.Age.Milliseconds()}
		if !c.Connected.IsZero() {
			s.BackendStart = &c.Connected
		}
		if c.Port == 0 {
			s.ClientPort = -1
			if c.PID != 0 {
				overSocket[s.PID] = []int{c.PID}
			}
		}
		sessions = append(sessions, s)
	}
	clients := backendClients(h, port, sessions)
	maps.Copy(clients, overSocket)
	r.Bouncer.Sources = sources(h, deps.Config.Root, port, sessions, clients)
}

// mostClients is how many of a pooler's clients are named.
const mostClients = 3

// describePooler says for whom a pooler holds its sessions: the processes at
// the other ends of its own port.
func (src *Source) describePooler(h host) {
	if src.Pooler = hostops.KindOf(h.process(src.PID)) == hostops.Pooler; !src.Pooler {
		return
	}
	ports := src.Ports
	if h.bouncer != nil && h.bouncer.PID == src.PID {
		ports = []int{h.bouncer.port}
	}
	count := map[int]int{}
	for _, port := range ports {
		for _, c := range h.sockets.Connections(port) {
			count[c.PID]++
		}
		for _, pid := range h.sockets.UnixClients(port)[src.PID] {
			count[pid]++
		}
	}
	delete(count, os.Getpid())
	for _, pid := range slices.SortedFunc(maps.Keys(count), func(a, b int) int { return cmp.Or(count[b]-count[a], a-b) }) {
		src.Clients += count[pid]
		if p := h.process(pid); p.PID != 0 && len(src.ClientsOf) < mostClients {
			src.ClientsOf = append(src.ClientsOf, p.String())
		}
	}
}
