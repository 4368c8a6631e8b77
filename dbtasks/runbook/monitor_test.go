package runbook_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestTheMonitorHoldsOneSessionAndCountsByState(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(3, "shop")
	if _, err := db.Open(1, "migration")[0].Exec(ctx, "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	admin := s.Admin("postgres")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	samples := 0
	r, err := d.Monitor(ctx, runbook.MonitorOptions{Every: 20 * time.Millisecond, For: 400 * time.Millisecond, Warn: 5}, func(m runbook.MonitorSample) {
		samples++
		if m.Sessions != 4 || m.Idle != 3 || m.InTransaction != 1 || m.Usable != 17 || m.Used != 6 || !m.OK {
			t.Errorf("%+v", m)
		}
		if n := pgtest.Count(t, admin, "application_name = 'dbtasks'"); n != 1 {
			t.Errorf("%d sessions of the tool", n)
		}
	})
	if err != nil || !r.OK || r.Peak != 4 || r.Logins != 1 || r.Samples != samples || samples < 5 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = d.Monitor(ctx, runbook.MonitorOptions{Every: time.Second, Once: true, Warn: 4}, func(runbook.MonitorSample) {})
	if err != nil || r.OK || r.Samples != 1 {
		t.Errorf("with -warn=4 at a peak of 4: %+v, %v", r, err)
	}
}

func TestARefusalForWantOfSlotsIsASampleOf100Percent(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Fill("leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Monitor(ctx, runbook.MonitorOptions{Every: time.Second, Once: true}, func(m runbook.MonitorSample) {
		if !m.OK || !m.Refused || m.Percent != 100 || m.Error != "slots_reserved" {
			t.Errorf("%+v", m)
		}
	})
	if err != nil || r.OK || r.Refusals != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestALostSessionIsShownAndTheMonitorLogsInAgain(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	admin := s.Admin("postgres")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var end sync.Once
	lost := false
	r, err := d.Monitor(ctx, runbook.MonitorOptions{Every: 20 * time.Millisecond}, func(m runbook.MonitorSample) {
		end.Do(func() {
			if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dbtasks'"); err != nil {
				t.Error(err)
			}
		})
		if !m.OK {
			lost = true
			if m.Error != "session_lost" {
				t.Errorf("%+v", m)
			}
		} else if lost {
			cancel() // it is back
		}
	})
	if err != nil || !lost || r.Logins != 2 || r.Lost != 1 {
		t.Errorf("lost %v, %+v, %v", lost, r, err)
	}
}

func TestTestCleanupAndMonitorInOneRunUseOneSession(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"log_connections": "on"}})
	db := s.NewDatabase()
	db.Open(2, "leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	if _, err := d.Test(ctx, runbook.TestOptions{}); err != nil {
		t.Fatal(err)
	}
	first := pidOfTool(t, s.Admin("postgres"))
	if _, err := d.Cleanup(ctx, runbook.CleanupOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := d.Monitor(ctx, runbook.MonitorOptions{Every: 10 * time.Millisecond, For: 50 * time.Millisecond}, func(runbook.MonitorSample) {})
	if err != nil || r.Lost != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if last := pidOfTool(t, s.Admin("postgres")); last != first {
		t.Errorf("backend %d at first, %d at last", first, last)
	}
}

// pidOfTool is the one backend that serves the tool.
func pidOfTool(t *testing.T, admin *pgx.Conn) int {
	t.Helper()
	var pid, n int
	if err := admin.QueryRow(ctx, "SELECT min(pid), count(*) FROM pg_stat_activity WHERE application_name = 'dbtasks'").Scan(&pid, &n); err != nil || n != 1 {
		t.Fatalf("%d sessions of the tool: %v", n, err)
	}
	return pid
}
