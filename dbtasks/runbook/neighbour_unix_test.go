//go:build unix

package runbook_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Anybody may put a socket with PostgreSQL's name into /tmp. The local
// superuser's login is tried there only where the kernel names the server's own
// process behind it, and a stored password goes nowhere that the URL does not
// name.
func TestANeighboursSocketGetsNoWordOfALogin(t *testing.T) {
	t.Setenv("PGPASSWORD", "stored-for-somebody-else")
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Fill("leak")
	path := fmt.Sprintf("/tmp/.s.PGSQL.%d", s.Port)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skipf("no socket can be made in /tmp: %v", err)
	}
	t.Cleanup(func() { _ = l.Close(); _ = os.Remove(path) })
	said := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetReadDeadline(time.Now().Add(time.Second))
				if words, _ := io.ReadAll(io.LimitReader(conn, 512)); len(words) > 0 {
					said <- fmt.Sprintf("%q", words)
				}
			}()
		}
	}()
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	_, _ = d.Who(ctx)
	_, _ = d.Cleanup(ctx, runbook.CleanupOptions{Dry: true})
	_, _ = d.Cleanup(ctx, runbook.CleanupOptions{})
	_, _ = d.Limits(ctx, runbook.LimitsOptions{})
	select {
	case words := <-said:
		t.Errorf("the neighbour was told %s", words)
	default:
	}
}
