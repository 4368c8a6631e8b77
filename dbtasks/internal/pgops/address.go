package pgops

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Address is where one server answers: one IP address and port, or one Unix
// socket. A host name is no address: "localhost" may be two servers.
type Address struct {
	Host   settings.Host  // as the URL names it
	TCP    netip.AddrPort // v4-mapped addresses unmapped; invalid for a Unix socket
	Socket string         // path of the Unix socket; empty for TCP
}

// IsZero tells whether this is no address at all.
func (a Address) IsZero() bool { return a.Socket == "" && !a.TCP.IsValid() }

// Same tells whether two addresses are one and the same place.
func (a Address) Same(b Address) bool { return a.target() == b.target() && a.network() == b.network() }

// IsUnix tells whether it is a Unix socket.
func (a Address) IsUnix() bool { return a.Socket != "" }

// Port is the port, which also names a Unix socket (".s.PGSQL.5432").
func (a Address) Port() int { return int(a.Host.Port) }

// String is the address for people: the socket's path, or host and port as the
// URL has them, with the IP address where the host is a name of others too.
func (a Address) String() string {
	if a.IsUnix() {
		return a.Socket
	}
	name := net.JoinHostPort(a.Host.Name, fmt.Sprint(a.Host.Port))
	if ip, err := netip.ParseAddr(a.Host.Name); a.TCP.IsValid() && (err != nil || ip.Unmap() != a.TCP.Addr()) {
		name += fmt.Sprintf(" (%s)", a.TCP.Addr())
	}
	return name
}

// network and target are what net.Dial takes.
func (a Address) network() string {
	if a.IsUnix() {
		return "unix"
	}
	return "tcp"
}

func (a Address) target() string {
	if a.IsUnix() {
		return a.Socket
	}
	return a.TCP.String()
}

// SocketPath is the Unix socket of a port in a folder, as libpq names it.
func SocketPath(dir string, port int) string {
	return filepath.Join(dir, fmt.Sprintf(".s.PGSQL.%d", port))
}

// isSocketDir tells whether a URL's host is the folder of a Unix socket.
func isSocketDir(host string) bool { return strings.HasPrefix(host, "/") }

// Dial opens a connection to the address and sends nothing. The caller closes
// it.
func (a Address) Dial(ctx context.Context) (net.Conn, error) { return dial(ctx, a, 1) }
