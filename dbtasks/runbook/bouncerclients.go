package runbook

import (
	"context"
	"maps"
	"os"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

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
func (sc scene) inUse(sessions []pgops.Session, clients map[int]server.Client) []int {
	var list []int
	for _, s := range sessions {
		if server, known := sc.bouncer.server(s); known {
			if server.InUse {
				list = append(list, s.PID)
			}
			continue
		}
		for _, pid := range clients[s.PID].PIDs {
			if hostops.KindOf(sc.Process(pid)) == hostops.Pooler {
				list = append(list, s.PID)
				break
			}
		}
	}
	return list
}

// addBouncer adds who holds the pooler's clients.
func (r *WhoReport) addBouncer(ctx context.Context, sc scene, rb *Runbook) {
	url, err := rb.cfg.Database()
	if sc.bouncer == nil || err != nil {
		return
	}
	r.Bouncer = sc.bouncer
	pooler := sc
	pooler.srv = server.Look(sc.Machine, rb.pin(url).Address())
	var sessions []pgops.Session
	overSocket := map[int]server.Client{}
	for i, c := range sc.bouncer.console.Clients {
		s := pgops.Session{PID: -i - 1, Role: c.Role, Database: c.Database, ApplicationName: c.Application, State: c.State,
			ClientAddr: c.Addr, ClientPort: c.Port, Age: c.Age, AgeMS: c.Age.Milliseconds()}
		if !c.Connected.IsZero() {
			s.BackendStart = &c.Connected
		}
		if c.Port == 0 {
			s.ClientPort = -1
			if c.PID != 0 {
				overSocket[s.PID] = server.Client{PIDs: []int{c.PID}}
			}
		}
		sessions = append(sessions, s)
	}
	clients := pooler.srv.Clients(ctx, sc.Machine, sessions)
	maps.Copy(clients, overSocket)
	r.Bouncer.Sources = sources(pooler, sessions, clients)
}

// mostClients is how many of a pooler's clients are named.
const mostClients = 3

// describePooler says for whom a pooler holds its sessions: the processes at
// the other ends of its own port.
func (src *Source) describePooler(sc scene) {
	if src.Pooler = hostops.KindOf(sc.Process(src.PID)) == hostops.Pooler; !src.Pooler {
		return
	}
	ports := src.Ports
	if sc.bouncer != nil && sc.bouncer.PID == src.PID {
		ports = []int{sc.bouncer.address.Port()}
	}
	count := map[int]int{}
	for _, port := range ports {
		for _, c := range sc.Sockets.Connections(port) {
			count[c.PID]++
		}
		for _, pid := range sc.Sockets.UnixClients(port)[src.PID] {
			count[pid]++
		}
	}
	delete(count, os.Getpid())
	for _, pid := range sorted(count) {
		src.Clients += count[pid]
		if p := sc.Process(pid); p.PID != 0 && len(src.ClientsOf) < mostClients {
			src.ClientsOf = append(src.ClientsOf, p.String())
		}
	}
}
