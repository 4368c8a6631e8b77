package pgops

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

func parsed(t *testing.T, text string) *settings.URL {
	t.Helper()
	cfg, err := settings.Load(t.TempDir(), []string{"DATABASE_URL=" + text})
	if err != nil {
		t.Fatal(err)
	}
	u, err := cfg.Database()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// refusing answers the request for TLS with N and the login with an error of
// PostgreSQL's; it counts connections and logins.
func refusing(t *testing.T) (port int, connections, logins *atomic.Int32) {
	t.Helper()
	connections, logins = new(atomic.Int32), new(atomic.Int32)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer conn.Close()
				ask := make([]byte, 8)
				if _, err := io.ReadFull(conn, ask); err != nil || string(ask) != string(sslRequest) {
					return
				}
				_, _ = conn.Write([]byte("N"))
				if n, err := conn.Read(make([]byte, 512)); err == nil && n > 8 {
					logins.Add(1)
					_, _ = conn.Write([]byte("E\x00\x00\x00\x22SFATAL\x00C57P03\x00Mstarting up\x00\x00\x00\x00\x00\x00"))
				}
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, connections, logins
}

func TestALoginGoesOnOverTheConnectionOnWhichTLSWasRefused(t *testing.T) {
	port, connections, logins := refusing(t)
	u := parsed(t, "postgresql://app:secret@127.0.0.1:"+strconv.Itoa(port)+"/shop?connection_limit=5")
	cfg, err := u.ConnConfig()
	if err != nil {
		t.Fatal(err)
	}
	goOnWithoutTLS(cfg)
	for round := range int32(3) {
		if _, err = pgx.ConnectConfig(t.Context(), cfg); err == nil {
			t.Fatal("logged in to a server that refuses everybody")
		}
		if connections.Load() != round+1 || logins.Load() != round+1 {
			t.Fatalf("%d connections for %d logins, want %d each (%v)", connections.Load(), logins.Load(), round+1, err)
		}
	}
}

func TestAConnectionThatNobodyGoesOnWithIsClosed(t *testing.T) {
	client, server := net.Pipe()
	r := &refusals{kept: map[attempt]*refusedConn{}, dial: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
	conn, err := r.connect(t.Context(), "tcp", "x")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.ReadFull(server, make([]byte, 8))
		_, _ = server.Write([]byte("N"))
	}()
	if _, err := conn.Write(sslRequest); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	other, cancel := context.WithCancel(t.Context())
	defer cancel()
	if r.take(attempt{other, "tcp", "x"}) != nil {
		t.Error("another login got it")
	}
	_ = server.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v, want the end", err)
	}
}
