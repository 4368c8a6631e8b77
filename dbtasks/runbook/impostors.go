package runbook

import (
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

// impostors are the sessions that call themselves by the tool's name and whose
// client is a process of this machine that is no run of it. Where the client
// can't be told (another machine, a container, another user), the name decides
// unless everything is to end: a leak must not be safe by its name.
func (sc scene) impostors(sessions []pgops.Session, clients map[int]server.Client, force bool) (list []pgops.SessionID) {
	for _, s := range sessions {
		if s.ApplicationName != pgops.ApplicationName {
			continue
		}
		told, ours := false, false
		for _, pid := range clients[s.PID].PIDs {
			p := sc.Process(pid)
			if kind := hostops.KindOf(p); p.PID == 0 || slices.Contains([]hostops.ListenerKind{hostops.Forwarder, hostops.Tunnel, hostops.Pooler}, kind) {
				continue // it stands for somebody else
			}
			told, ours = true, ours || p.Run()
		}
		if !ours && (told || force) {
			list = append(list, s.ID())
		}
	}
	return list
}

// heldByRuns are the backends whose clients are runs of this tool.
func (sc scene) heldByRuns(clients map[int]server.Client) (backends []int) {
	for backend, c := range clients {
		if slices.ContainsFunc(c.PIDs, func(pid int) bool { return sc.Process(pid).RunsTarget() }) {
			backends = append(backends, backend)
		}
	}
	return backends
}
