package pgtest

import (
	"context"
	"net"
)

// dialFrom makes connections whose own port is this one.
func dialFrom(port int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{Port: port}}).DialContext
}
