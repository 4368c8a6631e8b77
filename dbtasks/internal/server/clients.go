package server

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// Client is who is at the other end of a session, as far as it can be told.
// The zero Client is nobody that can be told from here.
type Client struct {
	PIDs      []int             // processes of this machine that hold the socket, lowest first
	Container *engine.Container // the client runs in this container
	Through   string            // what stands between and hides the process: "docker-proxy"
	Gone      bool              // its end was this machine's own, and does not exist any more
}

// ClientEnd is the client's end of a session; there is none over a Unix socket,
// and where it is hidden from this role.
func ClientEnd(s pgops.Session) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(s.ClientAddr)
	return netip.AddrPortFrom(addr.Unmap(), uint16(s.ClientPort)), err == nil && s.ClientPort > 0
}

// Ends are the client ends of sessions, to look at a machine with; an invalid
// one stands for a Unix socket's.
func Ends(sessions []pgops.Session) []netip.AddrPort {
	var list []netip.AddrPort
	for _, s := range sessions {
		if end, ok := ClientEnd(s); ok {
			list = append(list, end)
		} else if s.ClientPort < 0 {
			list = append(list, netip.AddrPort{})
		}
	}
	return list
}

// Clients tells who is at the other end of each session of this server, by the
// backend's pid. What another account holds whose only candidate is one pooler
// is the pooler's.
func (s *Server) Clients(ctx context.Context, m *machine.Machine, sessions []pgops.Session) map[int]Client {
	direct := s.directEnds(m)
	overSocket := s.socketEnds(m)
	forwarded := s.forwardedEnds(ctx, m, sessions)
	clients := make(map[int]Client, len(sessions))
	for _, session := range sessions {
		if session.ClientPort < 0 {
			if pids := overSocket[session.PID]; len(pids) > 0 {
				clients[session.PID] = Client{PIDs: pids}
			}
			continue
		}
		end, ok := ClientEnd(session)
		if !ok {
			continue
		}
		through, forwardedHere := forwarded[end]
		switch pids, here := direct[end]; {
		case here && s.Kind != Forwarded:
			clients[session.PID] = Client{PIDs: pids} // none: it is another account's
		case forwardedHere:
			clients[session.PID] = through
		case s.Local && s.Kind == Direct && hostops.LocalAddress(end.Addr()):
			// The server is on this machine's network, so its client's end would
			// be too. (Of a server behind a forwarder that can't be said: the
			// address that it sees is the forwarder's, or made up by it.)
			clients[session.PID] = Client{Gone: true}
		}
	}
	return clients
}

// directEnds maps the client ends of connections to this server, seen on this
// machine's network, to the processes that hold them.
func (s *Server) directEnds(m *machine.Machine) map[netip.AddrPort][]int {
	found := map[netip.AddrPort][]int{}
	for _, c := range m.Sockets.Connections(s.Port()) {
		if !s.serves(m, c.Remote.Addr()) {
			continue
		}
		if c.PID == 0 && c.UID >= 0 {
			c.PID = m.PoolerOf(c.UID)
		}
		if list := found[c.Local]; c.PID != 0 {
			found[c.Local] = append(list, c.PID)
		} else if list == nil {
			found[c.Local] = []int{}
		}
	}
	return found
}

// serves tells whether a connection to an address of this machine, on the
// server's port, comes out at this server: where it listens at the address that
// we reached it at, and where the same listener is bound to the other one too.
// A server of another address with the same port has clients of its own.
func (s *Server) serves(m *machine.Machine, ip netip.Addr) bool {
	if s.behind == 0 && !s.Address.IsUnix() && ip == s.Address.TCP.Addr() {
		return true
	}
	at := m.ListenersAt(netip.AddrPortFrom(ip, uint16(s.Port())))
	if s.behind != 0 || s.Address.IsUnix() {
		// Which addresses the server behind a pooler or a socket listens at is
		// told by its process alone.
		return slices.ContainsFunc(at, func(l hostops.Listener) bool {
			return l.PID != 0 && l.PID == s.Postmaster.PID || l.PID == 0 && l.UID >= 0 && l.UID == s.uid
		})
	}
	own := m.ListenersAt(s.Address.TCP)
	return slices.ContainsFunc(at, func(l hostops.Listener) bool { return slices.Contains(own, l) })
}

// socketEnds maps backends to the processes at the other ends of the server's
// Unix socket. In a container a backend's pid is another one than this
// machine's.
func (s *Server) socketEnds(m *machine.Machine) map[int][]int {
	ends := m.Sockets.UnixClients(s.Port())
	if !s.contained() {
		return ends
	}
	inner := map[int][]int{}
	for pid, clients := range ends {
		if n, err := hostops.InnerPID(pid); err == nil {
			inner[n] = clients
		}
	}
	return inner
}

// ClientEnds are the ends of the connections to this server that this machine's
// network has, for where nothing else of its sessions can be told.
func (s *Server) ClientEnds(m *machine.Machine) []netip.AddrPort {
	return slices.SortedFunc(maps.Keys(s.directEnds(m)), netip.AddrPort.Compare)
}
