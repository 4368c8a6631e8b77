//go:build unix

package runbook_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func timeoutOf(t *testing.T, r runbook.LimitsReport, name string) pgops.Timeout {
	t.Helper()
	i := slices.IndexFunc(r.Timeouts, func(t pgops.Timeout) bool { return t.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %+v", name, r.Timeouts)
	}
	return r.Timeouts[i]
}

func TestLimitsCountsWhatTheProcessesWantAndSaysHowManyAreMissing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	s.Exec("ALTER ROLE "+db.Role+" CONNECTION LIMIT 18", "ALTER DATABASE "+db.Name+" CONNECTION LIMIT 19")
	shop := project(t)
	for range 4 {
		pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=shop"), Sessions: 4, Dir: shop})
	}
	d := opened(t, shop, "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Limits(ctx, runbook.LimitsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "17 of 17 usable slots in use; 4 processes with a limit of 5 each want 20: 3 more than there are"; r.Headline() != want {
		t.Errorf("%q, want %q", r.Headline(), want)
	}
	if len(r.RoleLimits) == 0 || r.RoleLimits[0] != (pgops.NamedLimit{Name: db.Role, Limit: 18, Used: 17}) || r.DatabaseLimits[0] != (pgops.NamedLimit{Name: db.Name, Limit: 19, Used: 17}) {
		t.Errorf("%+v, %+v", r.RoleLimits, r.DatabaseLimits)
	}
	if maySignal(s) && r.Memory.Measured == 0 {
		t.Errorf("the backends' memory was not measured: %+v", r.Memory)
	}
	if r.Memory.Bytes < 100<<10 || r.Memory.Bytes > 64<<20 {
		t.Errorf("a connection is said to cost %d bytes", r.Memory.Bytes)
	}
	first, last := r.Advice[0].Do, r.Advice[len(r.Advice)-1].Do
	if first != fmt.Sprintf(`ALTER ROLE %q IN DATABASE %q SET idle_session_timeout = '5min';`, db.Role, db.Name) || !strings.Contains(last, "db:limits -raise=40") {
		t.Errorf("first %s, last %s", first, last)
	}
	text := fmt.Sprint(r.Advice)
	if !strings.Contains(text, "connection_limit=4") || strings.Contains(text, db.Password) {
		t.Errorf("no line with a smaller limit, or with the password: %s", text)
	}
}

func TestLimitsSaysWhoSetATimeoutAndTakesTheMostSpecial(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"idle_in_transaction_session_timeout": "7min"}})
	db := s.NewDatabase()
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	limits := func() runbook.LimitsReport {
		t.Helper()
		d.Close() // settings of a role hold from the next login
		r, err := d.Limits(ctx, runbook.LimitsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := limits()
	if got := timeoutOf(t, r, pgops.IdleSession); !got.Known || got.Value != 0 || got.Source != "default" {
		t.Errorf("%+v", got)
	}
	if got := timeoutOf(t, r, pgops.IdleInTransaction); got.Value != 7*time.Minute || got.Source != "configuration file" {
		t.Errorf("%+v", got)
	}
	// The very statement that is advised, as the role itself.
	if _, err := pgtest.Connect(t, db.URL()).Exec(ctx, r.Advice[0].Do); err != nil {
		t.Fatal(err)
	}
	s.Exec("ALTER DATABASE " + db.Name + " SET idle_session_timeout = '9min'")
	r = limits()
	if got := timeoutOf(t, r, pgops.IdleSession); got.Value != 5*time.Minute || got.Source != "role in database" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(fmt.Sprint(r.Advice), pgops.IdleSession) {
		t.Errorf("advised although it is set: %v", r.Advice)
	}
	s.Exec("ALTER ROLE " + db.Role + " IN DATABASE " + db.Name + " RESET idle_session_timeout")
	if got := timeoutOf(t, limits(), pgops.IdleSession); got.Value != 9*time.Minute || got.Source != "database" {
		t.Errorf("%+v", got)
	}
}

func TestLimitsLooksThroughAReservedSlotAtOurRoleAndNotAtTheAdmins(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	s.Exec("ALTER ROLE " + db.Role + " SET idle_session_timeout = '3min'")
	db.Fill("leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	r, err := d.Limits(ctx, runbook.LimitsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := timeoutOf(t, r, pgops.IdleSession); r.Route != runbook.RouteAdminURL || got.Value != 3*time.Minute || got.Source != "role" {
		t.Errorf("%s, %+v", r.Route, got)
	}
}

func TestLimitsShowsReservedConnectionsAsNotUsable(t *testing.T) {
	t.Parallel()
	if b := pgtest.Binaries(t); b.Major < 16 {
		t.Skipf("reserved_connections came with PostgreSQL 16, this is %s", b.Version)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"reserved_connections": "4"}})
	d := opened(t, t.TempDir(), "DATABASE_URL="+s.NewDatabase().URL("connection_limit=5"))
	r, err := d.Limits(ctx, runbook.LimitsOptions{})
	if err != nil || r.Slots.Reserved != 4 || r.Usable != 13 {
		t.Errorf("%+v, %v", r.Slots, err)
	}
}

func TestLimitsTellsWhatItCanWhenNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{SuperuserReserved: -1})
	db := s.NewDatabase()
	db.Fill("leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Limits(ctx, runbook.LimitsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.OK || r.Route != runbook.RouteOutside || r.Refusal == "" || r.Processes != 1 || r.Wanted != 5 || r.Next == "" {
		t.Errorf("%+v", r)
	}
}

func raiseTo(n int) runbook.LimitsOptions { return runbook.LimitsOptions{Raise: &n} }

func maxConnections(t *testing.T, s *pgtest.Server) (n string) {
	t.Helper()
	if err := pgtest.Connect(t, s.AdminURL("postgres")).QueryRow(ctx, "SHOW max_connections").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func autoConf(t *testing.T, s *pgtest.Server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.DataDir, "postgresql.auto.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRaiseSetsMaxConnectionsRestartsAndAsksAgain(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may restart it")
	}
	db, other := s.NewDatabase(), s.NewDatabase()
	other.Open(2, "blog")
	db.Fill("leak")
	progress := &syncBuilder{}
	before := ""
	both := io.MultiWriter(progress, writerFunc(func(p []byte) {
		if strings.Contains(string(p), "ALTER SYSTEM") {
			before = maxConnections(t, s)
		}
	}))
	d := openedSaying(t, both, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	r, err := d.Limits(ctx, raiseTo(30))
	if err != nil || !r.OK || !r.Raise.Done || r.Raise.Old != 20 || r.Slots.Max != 30 {
		t.Fatalf("%+v, %v\n%s", r.Raise, err, progress)
	}
	if got := maxConnections(t, s); got != "30" {
		t.Errorf("the server says %s", got)
	}
	plan := progress.String()
	if want := fmt.Sprintf("ends: 2 of role %q in database %q", other.Role, other.Name); !strings.Contains(plan, want) || strings.Contains(plan, db.Password) {
		t.Errorf("the plan does not say whose sessions end (%s), or shows the password:\n%s", want, plan)
	}
	if before != "20" {
		t.Errorf("max_connections was %q when the plan was shown", before)
	}
}

// writerFunc is told everything that is written.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestRaiseIsUndoneWhenTheServerDoesNotComeBack(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may restart it")
	}
	db := s.NewDatabase()
	s.Exec("ALTER SYSTEM SET max_connections = 20", "ALTER SYSTEM SET work_mem = '5MB'")
	before := autoConf(t, s)
	as := ""
	if os.Getuid() == 0 {
		as = "runuser -u " + s.Account + " -- "
	}
	pgCtl := as + filepath.Join(pgtest.Binaries(t).Dir, "pg_ctl")
	// A second setting that is none comes beside the value, so that nothing starts the server with both.
	restart := fmt.Sprintf("cd /; %s stop -D %s -m fast -w >/dev/null; echo 'no_such_setting = 1' >>%[2]s/postgresql.auto.conf; %[1]s start -D %[2]s -w -l %[2]s/restart.log >/dev/null", pgCtl, s.DataDir)
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"), "DBTASKS_RESTART_COMMAND="+restart)
	_, err := d.Limits(ctx, raiseTo(31))
	f := failure(t, err, "not_raised", runbook.ExitNotDone)
	if !strings.Contains(f.Message, "the server is up again, with 20") {
		t.Errorf("%s %q", f.Message, f.Details)
	}
	if after := autoConf(t, s); after != before {
		t.Errorf("postgresql.auto.conf was\n%s\nand is\n%s", before, after)
	}
	if got := maxConnections(t, s); got != "20" {
		t.Errorf("the server says %s", got)
	}
}

func TestRaiseIsUndoneOverSQLWhereTheRestartDidNotHappen(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	for _, restart := range []string{"true", "false"} { // says that it did, says that it did not
		d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"), "DBTASKS_RESTART_COMMAND="+restart)
		_, err := d.Limits(ctx, raiseTo(32))
		if f := failure(t, err, "not_raised", runbook.ExitNotDone); !strings.Contains(f.Message, "undone; the server runs with 20") {
			t.Errorf("%s: %s", restart, f.Message)
		}
		var left int
		admin := pgtest.Connect(t, s.AdminURL("postgres"))
		if err := admin.QueryRow(ctx, "SELECT count(*) FROM pg_file_settings WHERE name = 'max_connections' AND setting = '32'").Scan(&left); err != nil || left != 0 {
			t.Errorf("%s: the value is still written (%d, %v)", restart, left, err)
		}
	}
}

func TestRaiseRefusesWhatIsNonsenseAndTouchesNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	admin := "DBTASKS_ADMIN_URL=" + s.AdminURL("postgres")
	before, err := s.Postmaster()
	if err != nil && maySignal(s) {
		t.Fatal(err)
	}
	url := "DATABASE_URL=" + db.URL("connection_limit=5")
	for _, c := range []struct {
		what string
		env  []string
		n    int
		code string
		exit int
		says string
	}{
		{"zero", []string{url, admin}, 0, "usage", runbook.ExitSettings, "from 1 to 10000"},
		{"below zero", []string{url, admin}, -5, "usage", runbook.ExitSettings, "from 1 to 10000"},
		{"too many", []string{url, admin}, 10001, "usage", runbook.ExitSettings, "from 1 to 10000"},
		{"none but reserved ones", []string{url, admin}, 3, "usage", runbook.ExitSettings, "3 are reserved"},
		{"not more", []string{url, admin}, 20, "usage", runbook.ExitSettings, "not above max_connections, which is 20"},
		{"another machine's", []string{"DATABASE_URL=postgresql://app:x@192.0.2.1/shop?connection_limit=5&connect_timeout=1"}, 30, "refused_remote", runbook.ExitRefused, "192.0.2.1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := opened(t, t.TempDir(), c.env...).Limits(ctx, raiseTo(c.n))
			if f := failure(t, err, c.code, c.exit); !strings.Contains(f.Message, c.says) || !strings.Contains(strings.ToLower(f.Message), "nothing was touched") {
				t.Errorf("%q does not say %q", f.Message, c.says)
			}
		})
	}
	after, err := s.Postmaster()
	if maySignal(s) && (err != nil || after.PID != before.PID || strings.Contains(autoConf(t, s), "max_connections")) {
		t.Errorf("the server was touched: %v, then %v", before, after)
	}
}

func TestRaiseRefusesAValueThatTheCommandLineWouldOverride(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may restart it")
	}
	db := s.NewDatabase()
	args := []string{filepath.Join(pgtest.Binaries(t).Dir, "pg_ctl"), "restart", "-D", s.DataDir, "-m", "fast", "-w", "-o", "-c max_connections=25", "-l", filepath.Join(s.DataDir, "restart.log")}
	if os.Getuid() == 0 {
		args = append([]string{"runuser", "-u", s.Account, "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	_, err := d.Limits(ctx, raiseTo(30))
	failure(t, err, "command_line", runbook.ExitRefused)
	if strings.Contains(autoConf(t, s), "max_connections") {
		t.Error("postgresql.auto.conf was written")
	}
}

func TestRaiseRefusesALoginThatMayNotAlterTheSystem(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	// The role in DBTASKS_ADMIN_URL is no superuser either.
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+db.URL())
	_, err := d.Limits(ctx, raiseTo(30))
	if f := failure(t, err, "not_permitted", runbook.ExitNotDone); !strings.Contains(f.Next, "DBTASKS_ADMIN_URL") {
		t.Errorf("%q", f.Next)
	}
}

func TestOfTwoRaisesAtOnceTheLoserUndoesNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may restart it")
	}
	db := s.NewDatabase()
	done := map[int]error{}
	var mu sync.Mutex
	var both sync.WaitGroup
	for _, n := range []int{40, 60} {
		both.Go(func() {
			_, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres")).Limits(ctx, raiseTo(n))
			mu.Lock()
			defer mu.Unlock()
			done[n] = err
		})
	}
	both.Wait()
	got := maxConnections(t, s)
	winners := 0
	for n, err := range done {
		if err == nil {
			winners++
		}
		if err == nil && winners == 1 && got != strconv.Itoa(n) && got != "60" { // one after the other is fine, too
			t.Errorf("-raise=%d is said to be done, and the server says %s", n, got)
		}
	}
	if winners == 0 || got != "40" && got != "60" {
		t.Errorf("the server says %s after %v", got, done)
	}
	if text := autoConf(t, s); !strings.Contains(text, "max_connections = '"+got+"'") {
		t.Errorf("the server says %s, and at its next start it would be\n%s", got, text)
	}
}
