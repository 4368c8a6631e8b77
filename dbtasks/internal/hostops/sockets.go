package hostops

import (
	"context"
	"net/netip"
	"strings"
)

// Listener is one listening TCP socket and one process that holds it: a socket
// that several processes hold is listed once for each.
type Listener struct {
	Addr netip.AddrPort // the bound address, v4-mapped ones unmapped; a wildcard stays :: or 0.0.0.0
	PID  int            // 0: hidden from this user
	UID  int            // the socket's owner, known even where the process is hidden; -1: unknown
}

// Connection is one end of an established TCP connection. Where both ends are
// on this machine they are two of them.
type Connection struct {
	Local, Remote netip.AddrPort // v4-mapped addresses unmapped
	PID           int            // 0: hidden from this user
	UID           int            // the socket's owner, known even where the process is hidden; -1: unknown
}

// Sockets is every TCP and Unix socket of this machine at one moment, with the
// processes that hold them, made in one pass.
type Sockets struct {
	tcp     []tcpSocket
	unix    []unixSocket
	holders map[uint64][]int
}

// tcpSocket is one row of the system's table. Holder is used where the system
// names the process itself (everywhere but on Linux).
type tcpSocket struct {
	local, remote netip.AddrPort
	listening     bool
	uid           int
	inode         uint64
	holder        int
}

// unixSocket is one socket and its peer (0: none, as with a listener).
type unixSocket struct {
	path        string
	listening   bool
	inode, peer uint64
}

// ReadSockets makes the pass.
func ReadSockets(ctx context.Context) (*Sockets, error) {
	return readSockets(ctx, func(int) bool { return false })
}

// ReadSocketsBut makes the pass without the processes that skip says, whose
// sockets count as held by nobody then: a server's thousand backends, say,
// when their clients are all that is asked for.
func ReadSocketsBut(ctx context.Context, skip func(pid int) bool) (*Sockets, error) {
	return readSockets(ctx, skip)
}

// ReadTCP reads the TCP sockets alone, without their holders where those take a
// pass over all processes (Linux).
func ReadTCP(ctx context.Context) (*Sockets, error) { return readTCP(ctx) }

func (s *Sockets) pids(t tcpSocket) []int {
	if t.holder != 0 {
		return []int{t.holder}
	}
	if pids := s.holders[t.inode]; t.inode != 0 && len(pids) > 0 {
		return pids
	}
	return []int{0}
}

// Listeners lists the listening TCP sockets.
func (s *Sockets) Listeners() []Listener {
	var list []Listener
	for _, t := range s.tcp {
		if t.listening {
			for _, pid := range s.pids(t) {
				list = append(list, Listener{t.local, pid, t.uid})
			}
		}
	}
	return list
}

// Connections lists the ends whose other end has this port: the clients of a
// server on it.
func (s *Sockets) Connections(port int) []Connection {
	var list []Connection
	for _, t := range s.tcp {
		if !t.listening && int(t.remote.Port()) == port {
			for _, pid := range s.pids(t) {
				list = append(list, Connection{t.local, t.remote, pid, t.uid})
			}
		}
	}
	return list
}

// End is the socket with this local and this remote end: seen from the other
// end of the same connection, where it comes out. There is none where the
// connection leaves this machine's network (another machine, a container, a
// firewall that sends the address elsewhere).
func (s *Sockets) End(local, remote netip.AddrPort) (Connection, bool) {
	for _, t := range s.tcp {
		if !t.listening && t.local == local && t.remote == remote {
			return Connection{t.local, t.remote, s.pids(t)[0], t.uid}, true
		}
	}
	return Connection{}, false
}

// UnixClients maps the processes that serve connections on PostgreSQL's Unix
// socket of this port to the processes at the other ends. Where the system does
// not tell (everywhere but on Linux), or this user may not look, it is empty.
func (s *Sockets) UnixClients(port int) map[int][]int {
	suffix := socketName(port)
	clients := map[int][]int{}
	for _, u := range s.unix {
		if u.listening || u.peer == 0 || !strings.HasSuffix(u.path, suffix) {
			continue
		}
		for _, server := range s.holders[u.inode] {
			clients[server] = append(clients[server], s.holders[u.peer]...)
		}
	}
	return clients
}

// Connected are this machine's ends of all TCP connections, whoever holds them.
func (s *Sockets) Connected() map[netip.AddrPort]bool {
	ends := make(map[netip.AddrPort]bool, len(s.tcp))
	for _, t := range s.tcp {
		if !t.listening {
			ends[t.local] = true
		}
	}
	return ends
}
