package runbook

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// whoWithoutSession tells who holds the connections from the operating system
// alone: the titles of the server's processes, and the sockets.
func whoWithoutSession(ctx context.Context, deps *Deps, refusal *Failure) (WhoReport, error) {
	target, err := locate(ctx, deps.Pool.URL())
	if err != nil {
		return WhoReport{}, err
	}
	h, err := look(ctx, []pgops.Session{{ClientPort: -1}}) // which are over a socket is not known yet
	if err != nil {
		return WhoReport{}, err
	}
	sessions := sessionsByTitle(h, target, deps.Pool.URL().User, deps.Pool.URL().Database)
	if len(sessions) == 0 {
		sessions = sessionsBySocket(h, target.Port)
	}
	if len(sessions) == 0 {
		return WhoReport{}, refusal
	}
	r := WhoReport{OK: true, Target: target, Route: RouteOutside, Sessions: []WhoSession{}, Refusal: refusal.Message}
	if pgops.Cause(refusal.Code) == pgops.CausePoolerLimit {
		h.bouncer = h.askBouncer(ctx, deps)
	}
	r.fill(h, deps.Config.Root, sessions)
	r.addBouncer(h, deps)
	return r, nil
}

// sessionsByTitle reads the titles of the children of the postmaster that
// listens on the port. Titles are there for everybody to read; where the
// listener is hidden, the postmaster is the parent of a backend whose client
// is connected to the port. This is to be shown, and never to be signalled.
func sessionsByTitle(h host, target Target, role, database string) []pgops.Session {
	postmaster := 0
	if l := target.Listener; l != nil && l.Kind == hostops.Postgres {
		postmaster = l.PID
	} else {
		postmaster = parentOfBackends(h, target.Port)
	}
	if postmaster == 0 {
		return nil
	}
	children := h.table.Children(postmaster)
	prefix := clusterPrefix(children)
	var list []pgops.Session
	for _, c := range children {
		title, ok := pgserver.ParseTitle(c.Title(), prefix)
		if !ok {
			continue
		}
		s := sessionOfTitle(c.PID, title)
		if ofRole, ok := title.Of(role, database); ok {
			s.Role, s.Database = ofRole, database
		} else {
			s.Database = title.Names // role and database, which can't be told apart for sure
		}
		list = append(list, s)
	}
	return list
}

// parentOfBackends is the process under which a backend serves one of the
// port's clients; 0 when there is none to be seen.
func parentOfBackends(h host, port int) int {
	clients := h.sockets.Connections(port)
	for _, p := range h.table.All() {
		siblings := h.table.Children(p.PPID)
		title, ok := pgserver.ParseTitle(p.Title(), clusterPrefix(siblings))
		if !ok || title.Port == "" {
			continue
		}
		if slices.ContainsFunc(clients, func(c hostops.Connection) bool { return strconv.Itoa(int(c.Local.Port())) == title.Port }) {
			return p.PPID
		}
	}
	return 0
}

func clusterPrefix(children []hostops.Process) string {
	titles := make([]string, len(children))
	for i, c := range children {
		titles[i] = c.Title()
	}
	return pgserver.ClusterPrefix(titles)
}

// sessionOfTitle is what a title tells of a session; role and database are the
// caller's to fill in.
func sessionOfTitle(pid int, title pgserver.Title) pgops.Session {
	s := pgops.Session{PID: pid, State: pgops.State(title.State), ClientPort: -1}
	if title.Port != "" {
		s.ClientPort, _ = strconv.Atoi(title.Port)
	}
	if addr, err := netip.ParseAddr(title.Addr); err == nil {
		s.ClientAddr = addr.String()
	}
	return s
}

// sessionsBySocket is all that is left where titles are off: the client ends.
// They have no backend to be named by; their own port stands for it.
func sessionsBySocket(h host, port int) []pgops.Session {
	var list []pgops.Session
	for _, c := range h.sockets.Connections(port) {
		list = append(list, pgops.Session{PID: -int(c.Local.Port()), State: pgops.StateHidden, ClientAddr: c.Local.Addr().String(), ClientPort: int(c.Local.Port()),
			Database: fmt.Sprintf("port %d", port)})
	}
	return list
}
