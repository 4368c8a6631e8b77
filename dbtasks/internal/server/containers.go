package server

import (
	"context"
	"net"
	"net/netip"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// Container is a container of this machine.
type Container struct {
	Engine, ID, Name, Image, Project, Service, State string
}

func (c *Container) String() string { return "container " + c.Name }

func (s *Server) proveContainer(ctx context.Context, m *machine.Machine, conn net.Conn, told pgops.Server, backend hostops.Process) {
}

func (s *Server) forwardedEnds(m *machine.Machine, sessions []pgops.Session) map[netip.AddrPort]Client {
	return nil
}

func (s *Server) proveByEngine(ctx context.Context, m *machine.Machine) {}

func containerID(pid int) string { return "" }

func (s *Server) FreeSlot(ctx context.Context, role, database string, onlyRole bool) (string, error) {
	return "", nil
}
