package server

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// ProveWithoutSession looks for what proves a server that lets nobody in: the
// process that forks for our connection, or the engine's word. It takes some
// hundredths of a second and leaves no session behind.
func (s *Server) ProveWithoutSession(ctx context.Context, m *machine.Machine) {
	switch {
	case s.Kind == Elsewhere || s.Kind == Nothing:
		s.proveByEngine(ctx, m)
		return
	case s.Address.IsUnix() && s.Listener.PID != 0:
		if s.Kind == Other && s.isPostmaster(m, s.Listener) {
			// Its executable is hidden from this user, its children are not.
			s.Kind, s.Postmaster, s.Local = Direct, s.Listener, true
			s.Proof = fmt.Sprintf("the kernel names PostgreSQL (pid %d) behind the socket", s.Listener.PID)
		}
		return
	case s.Kind == Tunnel || s.Kind == Other || s.Kind == Pooler:
		return
	}
	s.Local = false
	if s.Kind == Direct && s.endsHere(ctx) {
		s.Local = true
		s.Proof = fmt.Sprintf("PostgreSQL (pid %d) listens there on this machine, and our connection ends there", s.Listener.PID)
		s.nameContainer(ctx, m, containerOf(s.Listener.PID))
		return
	}
	if s.Kind == Direct {
		s.Kind, s.Proof = Unknown, "what listens there is not what our connection reaches: it is sent on to somewhere else"
	}
	postmaster, found := s.knock(ctx, m)
	if !found {
		s.proveByEngine(ctx, m)
		return
	}
	if id := containerOf(postmaster.PID); id != "" {
		s.Postmaster = postmaster
		s.proveByEngine(ctx, m)
		if !s.Local {
			s.proveByForwarder(ctx, m, id)
		}
	}
	if !s.Local && s.uid >= 0 && s.uid == postmaster.UID {
		s.Kind, s.Local, s.Postmaster, s.Listener = Direct, true, postmaster, postmaster
		s.Proof = fmt.Sprintf("PostgreSQL (pid %d) on this machine forks for our connection", postmaster.PID)
		s.nameContainer(ctx, m, containerOf(postmaster.PID))
	}
}

// proveByForwarder is for users who may not ask the engine: root's own forwarder
// takes connections to the address, or the firewall hands them on and no program
// does, and the process that forked for ours lives in a container.
func (s *Server) proveByForwarder(ctx context.Context, m *machine.Machine, id string) {
	if s.uid != 0 && s.uid != -1 {
		return
	}
	for _, p := range m.Table.All() {
		f, ok := hostops.ForwardOf(p)
		if !ok || p.UID != 0 {
			continue
		}
		if f.ID != id && !hostops.AnswersAt(f.Host, s.Address.TCP) {
			continue
		}
		if f.Container.Addr().IsValid() {
			s.relay = relay{[]netip.AddrPort{f.Host}, f.Container}
		} else {
			s.relay = relay{published: []netip.AddrPort{s.Address.TCP}}
		}
		s.Kind, s.Local = Forwarded, true
		s.Proof = fmt.Sprintf("%s (pid %d) leads there, and PostgreSQL (pid %d) in container %.12s of this machine forks for our connection", p.Name, p.PID, s.Postmaster.PID, id)
		return
	}
	if !s.endsHere(ctx) { // userland-proxy=false: dockerd holds the port, and the kernel forwards
		s.relay = relay{published: []netip.AddrPort{s.Address.TCP}}
		s.Kind, s.Local = Forwarded, true
		s.Proof = fmt.Sprintf("PostgreSQL (pid %d) in container %.12s of this machine forks for our connection", s.Postmaster.PID, id)
	}
}

// endsHere tells whether a connection to the address comes out at a socket of
// this machine's own network, and at no address that a firewall put in its
// place.
func (s *Server) endsHere(ctx context.Context) bool {
	conn, err := s.Address.Dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	local, remote, ok := ends(conn)
	if !ok {
		return false
	}
	_, here := farEnd(ctx, local, remote)
	return here
}

// isPostmaster tells whether a process is one of this machine's PostgreSQL
// servers, for a process whose executable may be hidden.
func (s *Server) isPostmaster(m *machine.Machine, p hostops.Process) bool {
	for _, known := range m.Postmasters() {
		if known.Identity == p.Identity {
			return true
		}
	}
	return false
}
