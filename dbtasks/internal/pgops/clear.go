package pgops

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// ErrPasswordInClear is the error of a login whose server asked for the
// password as it is, or as an MD5 hash, where that is not sent.
var ErrPasswordInClear = errors.New("the password would be sent in clear, or as an MD5 hash")

// guarded is where a login's messages are written to: in clear, or as an MD5
// hash, only the URL's own password goes, and only through TLS, a Unix socket or
// this machine itself. A stored one (PGPASSWORD, ~/.pgpass) is not meant for
// whoever happens to have the port. The URL's own require_auth (libpq's
// parameter) may list these methods, and then says that its network is trusted.
func guarded(url *settings.URL, cfg *pgx.ConnConfig, w io.Writer) io.Writer {
	conn, ok := w.(net.Conn)
	if !ok || cfg.RequireAuth != "" && !strings.HasPrefix(cfg.RequireAuth, "!") || url.HasPassword() && private(conn) {
		return w
	}
	return withoutPasswords{w}
}

// private tells whether nobody on a network can read what is sent.
func private(conn net.Conn) bool {
	if _, encrypted := conn.(*tls.Conn); encrypted {
		return true
	}
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || remote.IP.IsLoopback() {
		return true
	}
	// Who connects to an address of this machine has that address himself.
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	return ok && local.IP.Equal(remote.IP)
}

// withoutPasswords refuses to write a PasswordMessage. Of the messages that
// begin with p it alone is one string with a zero at its end and nowhere else:
// SASL's first has the mechanism's name in front, the others have no such end.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
type withoutPasswords struct{ w io.Writer }

func (g withoutPasswords) Write(b []byte) (int, error) {
	const head = 5 // the kind and the length
	if len(b) > head+1 && b[0] == 'p' && bytes.IndexByte(b[head:], 0) == len(b)-head-1 {
		return 0, ErrPasswordInClear
	}
	return g.w.Write(b)
}
