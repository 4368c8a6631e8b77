package runbook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestAnIdleTimeoutIsSetForThisRoleInThisDatabaseAndTakenBack(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, other := s.NewDatabase(), s.NewDatabase()
	said := &syncBuilder{}
	d := openedSaying(t, said, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=1"))
	change := func(after time.Duration) runbook.LimitsReport {
		t.Helper()
		r, err := d.Limits(ctx, runbook.LimitsOptions{Timeout: &after})
		if err != nil || !r.OK || r.Timeout == nil || !r.Timeout.Done || r.Timeout.ValueMS != after.Milliseconds() {
			t.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	open := db.Open(1, "open before")[0]
	change(time.Second)
	if !strings.Contains(said.String(), fmt.Sprintf(`ALTER ROLE "%s" IN DATABASE "%s" SET idle_session_timeout = '1000ms'`, db.Role, db.Name)) {
		t.Errorf("said %s", said)
	}
	db.Open(2, "idle")
	transaction := db.Open(1, "transaction")[0]
	_, err := transaction.Exec(ctx, "BEGIN")
	if err != nil {
		t.Fatal(err)
	}
	other.Open(1, "elsewhere")
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 15*time.Second, "the idle sessions have ended by themselves", func() bool {
		return pgtest.Count(t, admin, "application_name IN ('idle', 'transaction')") == 0
	})
	if _, err := open.Exec(ctx, "SELECT 1"); err != nil {
		t.Errorf("a session that was open before has ended: %v", err)
	}
	if n := pgtest.Count(t, admin, "application_name = 'elsewhere'"); n != 1 {
		t.Errorf("%d sessions of another database are left of 1", n)
	}
	for _, timeout := range change(0).Timeouts {
		if timeout.Known && timeout.Value != 0 && timeout.Source == "role in database" {
			t.Errorf("%+v is left", timeout)
		}
	}
}

func TestATimeoutThatNobodyCanWantIsRefused(t *testing.T) {
	t.Parallel()
	d := opened(t, t.TempDir(), "DATABASE_URL=postgresql://app@127.0.0.1:1/shop?connection_limit=5")
	raise, minute := 30, time.Minute
	for _, o := range []runbook.LimitsOptions{{Raise: &raise, Timeout: &minute}, {Timeout: new(-time.Second)}, {Timeout: new(5 * time.Millisecond)}} {
		_, err := d.Limits(ctx, o)
		if f := failure(t, err, "usage", runbook.ExitSettings); f.Next != "mage db:limits -timeout=10m" {
			t.Errorf("%+v", f)
		}
	}
}

func TestAReadOnlyRunShowsTheTimeoutsPlanAndSetsNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	minute := time.Minute
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=1"), "DBTASKS_READONLY=1")
	r, err := d.Limits(ctx, runbook.LimitsOptions{Timeout: &minute})
	failure(t, err, "refused_readonly", runbook.ExitRefused)
	if r.Timeout == nil || len(r.Timeout.Statements) != 2 || r.Timeout.Done {
		t.Errorf("%+v", r.Timeout)
	}
	if n := pgtest.Count(t, s.Admin("postgres"), "EXISTS (SELECT FROM pg_db_role_setting d JOIN pg_roles r ON r.oid = d.setrole WHERE r.rolname = '"+db.Role+"')"); n != 0 {
		t.Error("a setting was written")
	}
}
