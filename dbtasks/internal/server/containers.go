package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// relay is how connections get into a container: what is published here, and
// where they go on to.
type relay struct {
	published []netip.AddrPort // addresses that are unspecified stand for all
	inside    netip.AddrPort
}

// containerOf is the id of the container that a process lives in; empty where
// it lives where we do, or that can't be told.
func containerOf(pid int) string {
	if pid == 0 {
		return ""
	}
	place, err := hostops.PlaceOf(pid)
	if err != nil {
		return ""
	}
	if here, err := hostops.Here(); err == nil && here.Container == place.Container {
		return ""
	}
	return place.Container
}

// mayForward tells whether what accepts at the address may be a container
// engine's: root's (docker-proxy, dockerd, conmon), this user's own forwarder, or
// nobody on this network (the firewall hands the packets on, or a route: then
// seen is false, and where to is not told). Another account's program is a
// tunnel that took the port.
func (s *Server) mayForward(ctx context.Context, conn net.Conn) (may, seen bool) {
	if s.Kind == Tunnel || s.Kind == Other || s.Kind == Pooler {
		return false, false
	}
	if conn == nil {
		c, err := s.Address.Dial(ctx)
		if err != nil {
			return false, false
		}
		defer c.Close()
		conn = c
	}
	local, remote, ok := ends(conn)
	if !ok {
		return false, false
	}
	end, seen := farEnd(ctx, local, remote)
	return !seen || end.UID <= 0 || end.UID == os.Getuid(), seen
}

// proveContainer: our backend is a process of a container of this machine, and
// the way there is one that the container's engine made.
func (s *Server) proveContainer(ctx context.Context, m *machine.Machine, conn net.Conn, told pgops.Server, backend hostops.Process) {
	if may, _ := s.mayForward(ctx, conn); s.Address.IsUnix() || !may {
		return
	}
	id := containerOf(backend.PID)
	c := s.published(ctx, m)
	switch {
	case c == nil:
		s.proveWithoutEngine(ctx, m, conn, told, backend, id)
	case c.PID != 0 && id == c.ID:
		s.runsIn(c, parentOf(backend), backend.UID, fmt.Sprintf("our own backend is process %d of this machine, in %s, which %s the address", backend.PID, c, s.verb()))
	case c.PID == 0 && c.HasAddr(told.ServerAddr.Unmap()):
		// The engine's containers run in a virtual machine (Docker Desktop,
		// OrbStack, Podman's machine): their processes are not seen here.
		s.runsIn(c, parentOf(backend), backend.UID, fmt.Sprintf("the server's own address %s is that of %s, which %s the address", told.ServerAddr, c, s.verb()))
	}
}

func (s *Server) verb() string {
	if s.Kind == Elsewhere {
		return "has"
	}
	return "publishes"
}

// proveWithoutEngine is for users who may not ask the engine: the container is
// told by our backend's control group, and the way there by the port that was
// kept for us, or by docker-proxy, root's, whose command line and connection
// lead from the address to the server.
func (s *Server) proveWithoutEngine(ctx context.Context, m *machine.Machine, conn net.Conn, told pgops.Server, backend hostops.Process, id string) {
	local, _, ok := ends(conn)
	if id == "" || !ok || s.Kind == Elsewhere {
		return
	}
	client := netip.AddrPortFrom(told.ClientAddr.Unmap(), uint16(told.ClientPort))
	inside := netip.AddrPortFrom(told.ServerAddr.Unmap(), uint16(told.ServerPort))
	if local.Port() == client.Port() && hostops.LocalAddress(client.Addr()) {
		s.isLocal(Forwarded, parentOf(backend), backend.UID, fmt.Sprintf("our own backend is process %d of this machine, in container %.12s, and has our port", backend.PID, id))
		return
	}
	for _, p := range m.Table.All() {
		f, ok := hostops.ForwardOf(p)
		if !ok || p.UID != 0 || f.Container != inside || !hostops.AnswersAt(f.Host, s.Address.TCP) {
			continue
		}
		if tcp, err := hostops.ReadTCP(ctx); err == nil {
			if end, ok := tcp.End(client, inside); ok && end.UID == 0 {
				s.relay = relay{[]netip.AddrPort{f.Host}, inside}
				s.isLocal(Forwarded, parentOf(backend), backend.UID, fmt.Sprintf("our own backend is process %d of this machine, in container %.12s, and docker-proxy (pid %d) leads there", backend.PID, id, p.PID))
				return
			}
		}
	}
}

// published is the one container that a connection to the address leads to by
// its engine's word; nil where there is none, or several. A container that is
// only stopped is named as well: Container is set, and nothing proven by it.
func (s *Server) published(ctx context.Context, m *machine.Machine) *engine.Container {
	all := m.Containers(ctx)
	s.Trouble = m.EngineTrouble(ctx)
	var list []engine.Container
	if s.Kind == Elsewhere {
		list = slices.DeleteFunc(slices.Clone(all), func(c engine.Container) bool { return !c.HasAddr(s.Address.TCP.Addr()) })
	} else {
		list = engine.Publishing(running(all), s.Address.TCP)
		s.nameOtherContainers(all, list)
	}
	if len(list) == 1 {
		return &list[0]
	}
	if len(list) == 0 && s.Kind == Nothing {
		if stopped := engine.Publishing(all, s.Address.TCP); len(stopped) == 1 {
			s.Container = &stopped[0]
		}
	}
	return nil
}

func running(all []engine.Container) []engine.Container {
	return slices.DeleteFunc(slices.Clone(all), func(c engine.Container) bool {
		return c.State != engine.Running && c.State != engine.Paused && c.State != engine.Restarting
	})
}

// nameOtherContainers lists containers that publish the same port at another
// address.
func (s *Server) nameOtherContainers(all, own []engine.Container) {
	for _, c := range running(all) {
		if slices.ContainsFunc(own, func(o engine.Container) bool { return o.ID == c.ID }) {
			continue
		}
		for _, b := range c.Bindings {
			if b.Host.Port() == s.Address.TCP.Port() && !hostops.AnswersAt(b.Host, s.Address.TCP) {
				// What was seen of its listener was the forwarder.
				s.Others = slices.DeleteFunc(s.Others, func(other string) bool { return strings.HasPrefix(other, b.Host.String()+" ") })
				s.Others = append(s.Others, fmt.Sprintf("%s (%s)", b.Host, c))
			}
		}
	}
}

// nameContainer sets Container by the id that the server's process tells, where
// an engine knows it.
func (s *Server) nameContainer(ctx context.Context, m *machine.Machine, id string) {
	if id == "" {
		return
	}
	for _, c := range m.Containers(ctx) {
		if c.ID == id {
			s.Container = &c
		}
	}
	if s.Container == nil {
		s.Trouble = m.EngineTrouble(ctx)
	}
}

// runsIn notes that the server is proven to be a container's.
func (s *Server) runsIn(c *engine.Container, postmaster hostops.Process, uid int, proof string) {
	s.Container = c
	port := c.PortAt(s.Address.TCP)
	if s.Kind == Elsewhere {
		port = s.Address.Port()
	}
	s.relay.published = nil
	for _, b := range c.Bindings {
		if b.Port == port {
			s.relay.published = append(s.relay.published, b.Host)
		}
	}
	for _, n := range c.Networks {
		for _, a := range n.Addrs {
			if !s.relay.inside.IsValid() || a.Is4() {
				s.relay.inside = netip.AddrPortFrom(a, uint16(port))
			}
		}
	}
	s.isLocal(Forwarded, postmaster, uid, proof)
}

// proveByEngine is the engine's word for a server that lets nobody in: the
// container that publishes exactly this address, or has it, runs PostgreSQL.
func (s *Server) proveByEngine(ctx context.Context, m *machine.Machine) {
	c := s.published(ctx, m)
	if s.Kind == Nothing && s.Container != nil {
		s.Local, s.Proof = true, fmt.Sprintf("nothing listens there, and %s, which is %s, publishes the address when it runs", s.Container, s.Container.State)
		return
	}
	if c == nil || s.Kind == Nothing && c.State != engine.Restarting {
		return
	}
	if c.State == engine.Restarting || c.Looping() {
		s.Container, s.Local, s.Proof = c, true, fmt.Sprintf("%s publishes the address, and restarts again and again", c)
		return
	}
	may, seen := s.mayForward(ctx, nil)
	if !may {
		return
	}
	if s.Kind == Elsewhere && c.PID != 0 {
		if p, found := s.knock(ctx, m); found {
			s.Postmaster = p
		}
	}
	if s.Postmaster.PID == 0 || containerOf(s.Postmaster.PID) != c.ID {
		s.Postmaster = hostops.Process{}
		if !seen && c.PID != 0 && c.State != engine.Paused {
			// The container's server did not fork for our connection, and no
			// forwarder of its engine took it: a rule of the firewall, or a route
			// more specific than the container network's, may lead anywhere.
			s.Proof = fmt.Sprintf("%s %s the address, but our connection is not seen to reach it", c, s.verb())
			return
		}
		for _, p := range m.Postmasters() {
			if containerOf(p.PID) == c.ID {
				s.Postmaster = p
			}
		}
	}
	switch {
	case s.Postmaster.PID != 0:
		s.runsIn(c, s.Postmaster, s.Postmaster.UID, fmt.Sprintf("%s %s the address, and PostgreSQL runs in it (pid %d)", c, s.verb(), s.Postmaster.PID))
	case c.PID == 0:
		if _, err := c.Postmaster(ctx); err == nil {
			s.runsIn(c, hostops.Process{}, 0, fmt.Sprintf("%s %s the address, and PostgreSQL runs in it", c, s.verb()))
		}
	}
}

// InsidePort is the server's port in its container.
func (s *Server) InsidePort() int {
	if port := s.Container.PortAt(s.Address.TCP); port != 0 {
		return port
	}
	return s.Address.Port()
}
