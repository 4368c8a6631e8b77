//go:build unix

package runbook_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func init() {
	// Runs one long statement.
	reexec.Register("report", func([]string) int {
		conn, err := pgx.Connect(ctx, os.Getenv("APP_URL"))
		if err != nil {
			return 1
		}
		_, _ = conn.Exec(ctx, "SELECT pg_sleep(60)")
		return 0
	})
}

func TestWhoNamesTheLeakingProcessItsFolderAndItsCount(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db, other := s.NewDatabase(), s.NewDatabase()
	shop := project(t)
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=shop"), Sessions: 9, Dir: shop})
	elsewhere := pgtest.StartLeak(t, pgtest.LeakOptions{URL: other.URL("application_name=blog"), Sessions: 3, Dir: t.TempDir()})
	socket := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=socket", "host="+s.SocketDir), Sessions: 2, Dir: shop})
	if err := syscall.Kill(elsewhere.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d := opened(t, shop, "DATABASE_URL="+db.AdminURL()+"?connection_limit=5")
	var r runbook.WhoReport
	pgtest.Eventually(t, 5*time.Second, "the other leak is seen to be stopped", func() bool {
		var err error
		if r, err = d.Who(ctx); err != nil {
			t.Fatal(err)
		}
		src, ok := sourceOf(r, elsewhere.PID)
		return ok && src.Stopped
	})
	src, ok := sourceOf(r, leak.PID)
	if !ok || r.Sources[0].PID != leak.PID {
		t.Fatalf("%+v", r.Sources)
	}
	if src.Count != 9 || src.Idle != 9 || !src.Ours || !sameDir(src.Dir, shop) || !sameDir(src.Project, shop) || strings.Join(src.Applications, ",") != "shop" || src.LastMinute != 9 || src.Started.IsZero() || len(src.Parents) == 0 {
		t.Errorf("%+v", src)
	}
	if src, _ := sourceOf(r, elsewhere.PID); src.Count != 3 || src.Ours || strings.Join(src.Databases, ",") != other.Name {
		t.Errorf("the other project's: %+v", src)
	}
	if maySignal(s) { // else the server's ends are hidden, and with them which session is whose
		if src, ok := sourceOf(r, socket.PID); !ok || src.Count != 2 {
			t.Errorf("over the Unix socket: %v %+v", ok, src)
		}
	}
	if line := r.Headline(); !strings.Contains(line, "of 37 usable slots") || !strings.Contains(line, "holds 9 of them, 9 idle") {
		t.Errorf("%s", line)
	}
	if len(r.Sessions) != 14 {
		t.Errorf("%d sessions, want 14", len(r.Sessions))
	}
}

func sourceOf(r runbook.WhoReport, pid int) (runbook.Source, bool) {
	for _, s := range r.Sources {
		if s.PID == pid {
			return s, true
		}
	}
	return runbook.Source{}, false
}

func sameDir(a, b string) bool {
	realA, errA := filepath.EvalSymlinks(a)
	realB, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && realA == realB
}

func TestSessionsThatReloadsLeftBehindAreToldFromOnePoolThatGrew(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db := s.NewDatabase()
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"))
	// Two sessions that are used to this day, and a third that was opened
	// while they were busy: one pool that grew.
	first := db.Open(2, "shop")
	clock := time.Now()
	pgtest.Eventually(t, 5*time.Second, "more than a second later", func() bool { return time.Since(clock) > 1300*time.Millisecond })
	db.Open(1, "shop")
	for _, c := range first {
		if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	r, err := d.Who(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if src, ok := sourceOf(r, os.Getpid()); !ok || src.Pools != 1 || src.LeftBehind != 0 {
		t.Errorf("one pool that grew: %+v", src)
	}
	// A reload: new sessions although three lie idle.
	clock = time.Now()
	pgtest.Eventually(t, 5*time.Second, "more than a second later", func() bool { return time.Since(clock) > 1300*time.Millisecond })
	db.Open(2, "shop")
	if r, err = d.Who(ctx); err != nil {
		t.Fatal(err)
	}
	if src, ok := sourceOf(r, os.Getpid()); !ok || src.Pools != 2 || src.LeftBehind != 3 {
		t.Errorf("a pool that a reload left behind: %+v", src)
	}
}

func TestWhoGetsInThroughAReservedSlot(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=shop"), Sessions: 17})
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	r, err := d.Who(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if src, ok := sourceOf(r, leak.PID); r.Route != runbook.RouteAdminURL || !ok || src.Count != 17 {
		t.Errorf("%s %+v", r.Route, src)
	}
	if s.Sessions(db.Name) != 17 {
		t.Error("who ended something")
	}
	fillReserved(t, s)
	r, err = d.Who(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if src, ok := sourceOf(r, leak.PID); r.Route != runbook.RouteOutside || !ok || src.Count != 17 || src.Idle != 17 || !strings.Contains(r.Refusal, "Every connection slot") {
		t.Errorf("from outside: %s %+v", r.Route, r.Sources)
	}
	if line := r.Headline(); !strings.Contains(line, "No slot is left") || !strings.Contains(line, "holds 17 of them, 17 idle") {
		t.Errorf("%s", line)
	}
}

func TestWithTitlesOffTheSocketsAloneNameTheHolders(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"update_process_title": "off"}})
	db := s.NewDatabase()
	shop := project(t)
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=shop"), Sessions: 17, Dir: shop})
	fillReserved(t, s)
	d := opened(t, shop, "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Who(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if src, ok := sourceOf(r, leak.PID); r.Route != runbook.RouteOutside || !ok || src.Count != 17 || !src.Ours {
		t.Errorf("%s %+v", r.Route, r.Sources)
	}
	_, err = d.Cleanup(ctx, runbook.CleanupOptions{})
	f := failure(t, err, "slots_full", runbook.ExitNotDone)
	details := strings.Join(f.Details, "\n")
	if !strings.Contains(details, "17 connections held by") || !strings.HasPrefix(f.Next, fmt.Sprintf("kill %d ", leak.PID)) || maySignal(s) && !strings.Contains(details, "titles tell no state") {
		t.Errorf("%s\nnext: %s", details, f.Next)
	}
}

func TestASessionWhoseProcessIsDeadIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"client_connection_check_interval": "0"}})
	db := s.NewDatabase()
	report := reexec.Command(ctx, "report")
	report.Env = append(report.Environ(), "APP_URL="+db.URL("application_name=report"))
	if err := report.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = report.Process.Kill(); _ = report.Wait() })
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 5*time.Second, "the report runs", func() bool {
		return pgtest.Count(t, admin, "application_name = 'report' AND state = 'active'") == 1
	})
	// The backend, which runs a statement, does not look whether anybody waits.
	if err := report.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = report.Wait()
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Who(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range r.Sources {
		if dead := strings.Join(src.Applications, ",") == "report"; src.Dead != dead {
			t.Errorf("%+v", src)
		}
	}
	if n := pgtest.Count(t, admin, "application_name = 'report'"); n != 1 {
		t.Errorf("%d sessions of the report: the server has noticed, and the test proves nothing", n)
	}
}
