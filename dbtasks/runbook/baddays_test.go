//go:build unix

package runbook_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestASuperusersAppThatFilledEverySlotIsCleanedUp(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may signal a backend")
	}
	db := s.NewDatabase()
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.AdminURL() + "?application_name=superapp", Sessions: 20})
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.AdminURL()+"?connection_limit=5")
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// One was ended by the signal, the others by SQL.
	if !r.OK || r.Route != runbook.RouteSignal || r.Ended+r.Freed != 20 || r.Freed < 1 || len(r.Holders) != 1 || r.Holders[0].PID != leak.PID {
		t.Errorf("%+v", r)
	}
}

func TestARoleLimitAndADatabaseLimitAreGotRound(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	byRole, byDatabase := s.NewDatabase(), s.NewDatabase()
	s.Exec(fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT 6", byRole.Role), fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT 6", byDatabase.Name))
	for db, cause := range map[pgtest.Database]pgops.Cause{byRole: pgops.CauseRoleLimit, byDatabase: pgops.CauseDatabaseLimit} {
		_, refused := db.Fill("leak")
		if got := pgops.CauseOf(refused); got != cause {
			t.Fatalf("refused with %s, want %s", got, cause)
		}
		d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
		r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
		if err != nil || !r.OK || r.Ended != 6 || r.Route != runbook.RouteAdminURL {
			t.Errorf("%s: %+v, %v", cause, r, err)
		}
	}
}

func TestAFrozenServerIsSaidToBeFrozenWithinTenSeconds(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		t.Skipf("may not stop our own server: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Kill(s.PID, syscall.SIGCONT) })
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5", "connect_timeout=60"))
	for what, call := range map[string]func() error{
		"cleanup": func() error { _, err := d.Cleanup(ctx, runbook.CleanupOptions{}); return err },
		"who":     func() error { _, err := d.Who(ctx); return err },
	} {
		began := time.Now()
		f := failure(t, call(), "timeout", runbook.ExitNotDone)
		if took := time.Since(began); took > 10*time.Second || !strings.Contains(f.Next, "dev:recover") {
			t.Errorf("%s took %s; next %q", what, took, f.Next)
		}
	}
}

func TestTwoCleanupsOfAFullServerAtOnceBothGetInAndLeaveNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may signal a backend")
	}
	db, other := s.NewDatabase(), s.NewDatabase()
	other.Open(2, "elsewhere")
	pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=leak"), Sessions: 15})
	fillReserved(t, s)
	var wg sync.WaitGroup
	for range 2 {
		d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
		wg.Go(func() {
			if r, err := d.Cleanup(ctx, runbook.CleanupOptions{}); err != nil {
				t.Errorf("%v\n%s", err, strings.Join(runbook.AsFailure(err).Details, "\n"))
			} else if !r.OK {
				t.Errorf("%+v", r)
			}
		})
	}
	wg.Wait()
	if n := s.Sessions(other.Name); n != 2 {
		t.Errorf("%d sessions of the other database, want 2", n)
	}
	if n := pgtest.Count(t, s.Admin("postgres"), "application_name = 'leak'"); n != 0 {
		t.Errorf("%d sessions of the leak are left", n)
	}
}

func TestAWALSenderIsNeverEnded(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	s.Exec(fmt.Sprintf("ALTER ROLE %s REPLICATION", db.Role))
	// A logical walsender names a database, as an ordinary session does.
	cfg, err := pgx.ParseConfig(db.URL("application_name=subscriber", "replication=database"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	sender, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close(ctx)
	db.Open(2, "leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.AdminURL()+"?connection_limit=5")
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{Force: true})
	if err != nil || r.Ended != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := sender.Exec(ctx, "IDENTIFY_SYSTEM"); err != nil {
		t.Errorf("the WAL sender was ended: %v", err)
	}
}

func TestHoldersAreNamedBeforeAnythingIsEnded(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=leak"), Sessions: 3})
	said := &syncBuilder{}
	d := openedSaying(t, said, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || r.Ended != 3 || len(r.Holders) != 1 || r.Holders[0].PID != leak.PID || r.Holders[0].Count != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	text := said.String()
	if !strings.Contains(text, fmt.Sprintf("database %q", db.Name)) || !strings.Contains(text, fmt.Sprintf("pid %d", leak.PID)) || !strings.Contains(text, "error listener") {
		t.Errorf("said: %s", text)
	}
}

func TestADryRunOfAFullServerSignalsNobodyEvenWhereNothingIsIdle(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	busy := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=busy"), Sessions: 17, Transaction: true})
	fillReserved(t, s)
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	for _, dry := range []bool{true, false} {
		_, err := d.Cleanup(ctx, runbook.CleanupOptions{Dry: dry})
		f := failure(t, err, "slots_full", runbook.ExitNotDone)
		if details := strings.Join(f.Details, "\n"); maySignal(s) && !strings.Contains(details, "none is an idle one") {
			t.Errorf("dry %v: %s", dry, details)
		}
	}
	busy.Stop() // frees slots; what was there until now is in the log
	if log := s.LogTail(1000); strings.Contains(log, "administrator command") {
		t.Errorf("a session was ended: %s", log)
	}
}
