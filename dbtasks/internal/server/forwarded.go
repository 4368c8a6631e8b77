package server

import (
	"context"
	"net/netip"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// forwardedEnds tells who is behind the client ends that a server sees which
// are not its clients' own: those of a forwarder, and those of other containers.
// It has an answer for every end that is not this machine's own, and for all of
// a server in a container, if only what hides the process.
func (s *Server) forwardedEnds(ctx context.Context, m *machine.Machine, sessions []pgops.Session) map[netip.AddrPort]Client {
	found := map[netip.AddrPort]Client{}
	var open []netip.AddrPort
	for _, session := range sessions {
		end, ok := ClientEnd(session)
		switch {
		case !ok:
		case !hostops.LocalAddress(end.Addr()):
			// Another machine's, or a container's on a network of this one.
			if c := s.containerClient(ctx, m, end.Addr()); c.Container != nil {
				found[end] = c
			}
		case s.Kind == Forwarded:
			open = append(open, end)
		}
	}
	if len(open) == 0 {
		return found
	}
	relayed := s.relayed(ctx)
	kept := m.Sockets.KeptPorts(append(slices.Clone(s.relay.published), s.Address.TCP), open)
	for _, end := range open {
		client := Client{Through: s.forwarder()}
		if own, ok := s.direct(m, end); ok {
			client = own
		} else if c, ok := relayed[end]; ok && c.PID != 0 {
			client = Client{PIDs: []int{c.PID}}
		} else if pids := kept[end]; len(pids) > 0 {
			client = Client{PIDs: pids}
		}
		found[end] = client
	}
	return found
}

// direct is the client of a connection that goes to the container's own address,
// with nobody between.
func (s *Server) direct(m *machine.Machine, end netip.AddrPort) (Client, bool) {
	c, ok := m.Sockets.End(end, s.relay.inside)
	switch {
	case !ok || c.UID == 0 && c.PID == 0: // root's, hidden: docker-proxy
		return Client{}, false
	case c.PID == 0:
		return Client{}, true // another account's
	}
	return Client{PIDs: []int{c.PID}}, hostops.KindOf(m.Process(c.PID)) != hostops.Forwarder
}

// containerClient asks the engines whose address a client has, where it may be
// a container's.
func (s *Server) containerClient(ctx context.Context, m *machine.Machine, addr netip.Addr) Client {
	if !addr.IsPrivate() {
		return Client{}
	}
	return Client{Container: m.ContainerAt(ctx, addr)}
}

// relayed pairs the forwarder's connections with those it accepted, by what the
// kernel counted on both.
func (s *Server) relayed(ctx context.Context) map[netip.AddrPort]hostops.Connection {
	if !s.relay.inside.IsValid() || len(s.relay.published) == 0 {
		return nil
	}
	flows, err := hostops.ReadSettledFlows(ctx, hostops.RelayEnds(s.relay.published, s.relay.inside))
	if err != nil {
		return nil
	}
	sockets, err := hostops.ReadSockets(ctx) // no older than the flows
	if err != nil {
		return nil
	}
	return sockets.Relayed(flows, s.relay.published, s.relay.inside)
}

// forwarder is what stands between this machine's clients and the container.
func (s *Server) forwarder() string {
	if s.Listener.PID != 0 && s.Listener.PID != s.Postmaster.PID {
		return s.Listener.Name
	}
	if s.Container != nil && s.Container.Engine != nil && s.Container.Engine.Program == "docker" {
		return "docker-proxy"
	}
	return "the container's forwarder"
}
