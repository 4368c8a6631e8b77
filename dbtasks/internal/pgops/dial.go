package pgops

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sslRequest is the message that asks for TLS; a server without answers N.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// keepRefused is how long a connection is kept on which TLS was refused: the
// driver logs in on it at once or never.
const keepRefused = time.Second

// goOnWithoutTLS has a login with sslmode=prefer, the default, go on over the
// connection on which the server refused TLS, as libpq does. The driver closes
// it and opens a second one, for which the server starts a second process:
// logins took 1.3 times as long.
func goOnWithoutTLS(cfg *pgx.ConnConfig) {
	if cfg.TLSConfig == nil {
		return
	}
	for _, fallback := range cfg.Fallbacks {
		if fallback.TLSConfig == nil {
			r := &refusals{dial: cfg.DialFunc, kept: map[attempt]*refusedConn{}}
			cfg.DialFunc = r.connect
			return
		}
	}
}

// attempt is the driver's try of one address: it asks with TLS and without
// under the same context, and no other login has that.
type attempt struct {
	ctx              context.Context
	network, address string
}

// refusals are the connections on which TLS was refused a moment ago.
type refusals struct {
	dial pgconn.DialFunc
	mu   sync.Mutex
	kept map[attempt]*refusedConn
}

type refusedConn struct {
	net.Conn
	expiry *time.Timer
}

func (r *refusals) connect(ctx context.Context, network, address string) (net.Conn, error) {
	a := attempt{ctx, network, address}
	if k := r.take(a); k != nil && k.expiry.Stop() {
		return k.Conn, k.SetDeadline(time.Time{})
	}
	conn, err := r.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &asking{Conn: conn, keep: func(c net.Conn) { r.keep(a, c) }}, nil
}

func (r *refusals) take(a attempt) *refusedConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kept[a]
	delete(r.kept, a)
	return k
}

func (r *refusals) keep(a attempt, conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[a] = &refusedConn{conn, time.AfterFunc(keepRefused, func() {
		r.take(a)
		_ = conn.Close()
	})}
}

// asking is a connection that notices a refusal of TLS, and is kept instead of
// closed then.
type asking struct {
	net.Conn
	keep           func(net.Conn)
	asked, refused bool
}

func (c *asking) Write(b []byte) (int, error) {
	c.asked = bytes.Equal(b, sslRequest)
	return c.Conn.Write(b)
}

func (c *asking) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.asked {
		c.refused, c.asked = n == 1 && b[0] == 'N', false
	}
	return n, err
}

func (c *asking) Close() error {
	if c.refused {
		c.refused = false
		c.keep(c.Conn)
		return nil
	}
	return c.Conn.Close()
}
