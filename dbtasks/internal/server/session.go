package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// startSlack is by how much the start time that a server tells may differ from
// its process's: the kernel counts in hundredths of a second since a boot whose
// time it knows to the second.
const startSlack = 3 * time.Second

// Prove looks for the proof that only a session gives: the backend that serves
// it is a process of this machine, and its connection is ours. pooled says that
// a connection pooler is between the two. It also takes over what the session
// tells of the server's identity.
func (s *Server) Prove(ctx context.Context, m *machine.Machine, conn net.Conn, told pgops.Server, pooled bool) {
	s.Started = told.Started
	if pooled {
		s.behind = told.Port
		if told.ServerPort > 0 {
			s.behind = told.ServerPort
		}
	}
	if s.Local { // by what listens; the session says whether it is what answers
		s.Local, s.Proof = false, "what listens there is not what answered: the connection is sent on to somewhere else"
	} else if s.Kind == Unknown {
		s.Proof = "the server that answered is not seen to be a process of this machine"
		if s.Listener.PID != 0 {
			s.Proof = fmt.Sprintf("%s (pid %d) listens there, and %s", s.Listener.Name, s.Listener.PID, s.Proof)
		}
	}
	backend, found := backendOf(ctx, told)
	switch {
	case s.Address.IsUnix() && s.proveSocket(m, backend, found):
	case pooled && s.provePooled(m, backend, found, told):
	case !pooled && s.proveConnection(ctx, m, conn, backend, found, told):
	default:
		s.proveContainer(ctx, m, conn, told, backend)
	}
}

// backendOf is the process of this machine that serves a session: it has the
// pid that the server tells, or, in a container, that is its innermost one; it
// is a child of PostgreSQL whose start is the one that the server tells; and
// its title carries the client's address and port as the server sees them.
func backendOf(ctx context.Context, told pgops.Server) (hostops.Process, bool) {
	if p, ok := servesSession(told.BackendPID, told); ok {
		return p, true
	}
	for _, pid := range machine.HostPIDs(ctx, told.BackendPID) {
		if p, ok := servesSession(pid, told); ok {
			return p, true
		}
	}
	return hostops.Process{}, false
}

func servesSession(pid int, told pgops.Server) (hostops.Process, bool) {
	p, err := hostops.Find(pid)
	if err != nil || p.Name != "postgres" {
		return p, false
	}
	parent, err := hostops.Find(p.PPID)
	if err != nil || parent.Name != "postgres" || !near(parent.StartTime, told.Started) {
		return p, false
	}
	return p, carries(p.Title(), told)
}

// near compares a process's start with what a server tells of its own. A
// process may be older than the server in it: a container's entry point becomes
// the server. It is never younger. A start that this system does not tell agrees
// with all.
func near(process, told time.Time) bool {
	return process.IsZero() || told.IsZero() || process.Before(told.Add(startSlack))
}

// carries tells whether a backend's title names the client end that the server
// told us: "127.0.0.1(54321)", or "[local]" over a Unix socket. A title keeps
// that also with update_process_title=off.
func carries(title string, told pgops.Server) bool {
	if !strings.HasPrefix(title, "postgres:") {
		return false
	}
	t, ok := pgserver.ParseTitle(title, "")
	if !ok {
		return false
	}
	if told.ClientPort <= 0 {
		return t.Addr == "" && t.Port == ""
	}
	addr, err := netip.ParseAddr(t.Addr)
	return err == nil && addr.Unmap() == told.ClientAddr.Unmap() && t.Port == fmt.Sprint(told.ClientPort)
}

// proveSocket: the process that the kernel names behind the Unix socket is the
// parent of our backend.
func (s *Server) proveSocket(m *machine.Machine, backend hostops.Process, found bool) bool {
	if !found || s.Listener.PID == 0 || backend.PPID != s.Listener.PID {
		return false
	}
	s.isLocal(Direct, parentOf(backend), backend.UID, fmt.Sprintf("our own backend is process %d of this machine, under the one that listens at the socket", backend.PID))
	return true
}

// provePooled: the server sees the pooler as its client. Where the backend is a
// process of this machine and the pooler's end of the connection is a socket of
// this machine's network, so is the server.
func (s *Server) provePooled(m *machine.Machine, backend hostops.Process, found bool, told pgops.Server) bool {
	if !found {
		return false
	}
	if told.ClientPort > 0 {
		far := netip.AddrPortFrom(told.ServerAddr.Unmap(), uint16(told.ServerPort))
		near := netip.AddrPortFrom(told.ClientAddr.Unmap(), uint16(told.ClientPort))
		end, ok := m.Sockets.End(far, near)
		if !ok || end.UID != backend.UID {
			return false
		}
	}
	s.isLocal(Pooler, parentOf(backend), backend.UID, fmt.Sprintf("behind the pooler, the backend that serves us is process %d of this machine", backend.PID))
	return true
}

// proveConnection: the server sees our connection as we do, nobody between, and
// the other end is a socket of this machine's own network that belongs to our
// backend, or, where its holder is hidden, to the backend's account. A tunnel, a
// forwarder and an address that the firewall sends elsewhere each fail one of
// the three.
func (s *Server) proveConnection(ctx context.Context, m *machine.Machine, conn net.Conn, backend hostops.Process, found bool, told pgops.Server) bool {
	local, remote, ok := ends(conn)
	if !ok || !hostops.LocalAddress(remote.Addr()) {
		return false
	}
	if local != netip.AddrPortFrom(told.ClientAddr.Unmap(), uint16(told.ClientPort)) {
		return false
	}
	end, here := farEnd(ctx, local, remote)
	switch {
	case !here:
		return false
	case found && (end.UID < 0 || end.UID == backend.UID):
	case end.PID != 0 && end.PID == told.BackendPID: // the system tells no titles, but who holds a socket (Windows)
		backend = m.Process(end.PID)
	default:
		return false
	}
	s.isLocal(Direct, parentOf(backend), backend.UID, fmt.Sprintf("our own backend is process %d of this machine, and our connection ends there", backend.PID))
	s.nameContainer(ctx, m, containerOf(backend.PID)) // on the host's network
	return true
}

// isLocal notes a proof, and with it the server's process, which may be unknown
// (zero), and the account of its backends.
func (s *Server) isLocal(kind Kind, postmaster hostops.Process, uid int, proof string) {
	s.Local, s.Proof = true, proof
	if s.Kind == Unknown || s.Kind == Other || kind == Forwarded {
		s.Kind = kind
	}
	if postmaster.PID != 0 {
		s.Postmaster = postmaster
	}
	if s.Kind == Direct && s.Listener.PID == 0 {
		s.Listener = s.Postmaster
	}
	s.uid = uid
}

// parentOf is the process that forked a backend; zero where there is none any
// more.
func parentOf(backend hostops.Process) hostops.Process {
	if backend.PID == 0 {
		return hostops.Process{}
	}
	p, err := hostops.Find(backend.PPID)
	if err != nil {
		return hostops.Process{}
	}
	return p
}

// ends are our end of a connection and the other; ok is false for a Unix socket.
func ends(conn net.Conn) (local, remote netip.AddrPort, ok bool) {
	l, ok1 := conn.LocalAddr().(*net.TCPAddr)
	r, ok2 := conn.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return local, remote, false
	}
	unmap := func(a netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	}
	return unmap(l.AddrPort()), unmap(r.AddrPort()), true
}

// farEnd is the socket of this machine's network that our connection ends at.
func farEnd(ctx context.Context, local, remote netip.AddrPort) (hostops.Connection, bool) {
	sockets, err := hostops.ReadTCP(ctx)
	if err != nil {
		return hostops.Connection{}, false
	}
	return sockets.End(remote, local)
}
