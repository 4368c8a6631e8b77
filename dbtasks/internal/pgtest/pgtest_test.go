package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

func TestMain(m *testing.M) { Main(m) }

func TestAServerHasTheSlotsThatWereAskedForAndIsGoneWithItsTest(t *testing.T) {
	t.Parallel()
	var dir string
	t.Run("while it runs", func(t *testing.T) {
		s := Start(t, pgserver.DisposableOptions{MaxConnections: 8, SuperuserReserved: 2})
		dir = filepath.Dir(s.DataDir)
		db := s.NewDatabase()
		held, err := db.Fill("filler")
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code != "53300" {
			t.Errorf("the server refused with %v, want SQLSTATE 53300", err)
		}
		if strings.Contains(err.Error(), db.Password) {
			t.Error("the refusal shows the password")
		}
		if len(held) != 6 || s.Sessions(db.Name) != 6 {
			t.Errorf("%d sessions held, %d counted by the server, want 6", len(held), s.Sessions(db.Name))
		}
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", dir, err)
	}
}

func TestALeakHoldsItsSessionsUntilItIsStoppedOrKilled(t *testing.T) {
	t.Parallel()
	s := Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	dir := t.TempDir()
	stopped := StartLeak(t, LeakOptions{URL: db.URL("application_name=stopped"), Sessions: 3, Dir: dir})
	killed := StartLeak(t, LeakOptions{URL: db.URL("application_name=killed"), Sessions: 2, Transaction: true})
	admin := s.Admin("postgres")
	if n := Count(t, admin, "datname = $1 AND application_name = 'stopped' AND state = 'idle'", db.Name); n != 3 {
		t.Errorf("%d idle sessions, want 3", n)
	}
	if n := Count(t, admin, "application_name = 'killed' AND state = 'idle in transaction'"); n != 2 {
		t.Errorf("%d sessions in a transaction, want 2", n)
	}
	stopped.Stop()
	killed.Kill()
	Eventually(t, 5*time.Second, "their sessions are gone", func() bool { return Count(t, admin, "datname = $1", db.Name) == 0 })
}

func TestOpenNamesTheSessionsOfThisProcess(t *testing.T) {
	t.Parallel()
	s := Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(2, "my dev server")
	if n := Count(t, s.Admin(db.Name), "application_name = 'my dev server' AND usename = $1", db.Role); n != 2 {
		t.Errorf("%d sessions of that name, want 2", n)
	}
}
