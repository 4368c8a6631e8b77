//go:build unix

package pgtest

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// dialFrom makes connections whose own port is this one, beside others of the
// same port to other servers.
func dialFrom(port int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{Port: port}, Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		if err := c.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }); err != nil {
			return err
		}
		return set
	}}).DialContext
}
