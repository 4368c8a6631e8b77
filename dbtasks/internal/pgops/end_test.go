package pgops_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

var ctx = context.Background()

func verdicts(res pgops.EndResult) map[pgops.Verdict]int {
	n := map[pgops.Verdict]int{}
	for _, j := range res.Judged {
		n[j.Verdict]++
	}
	return n
}

func TestOnlyIdleSessionsOfThisDatabaseAreEnded(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db, other := s.NewDatabase(), s.NewDatabase()
	db.Open(5, "shop")
	other.Open(3, "elsewhere")
	inTx := db.Open(1, "migration")[0]
	begin(t, inTx)
	busy := db.Open(1, "report")[0]
	done := make(chan error, 1)
	go func() { _, err := busy.Exec(ctx, "SELECT pg_sleep(30)"); done <- err }()
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 5*time.Second, "the report runs", func() bool {
		return pgtest.Count(t, admin, "application_name = 'report' AND state = 'active'") == 1
	})
	conn := login(t, db.URL("connection_limit=3"))

	dry, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name})
	if err != nil {
		t.Fatal(err)
	}
	want := map[pgops.Verdict]int{pgops.VerdictEnd: 5, pgops.VerdictInTx: 1, pgops.VerdictBusy: 1}
	if got := verdicts(res); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
	if fmt.Sprint(verdicts(dry)) != fmt.Sprint(want) || len(dry.Ended) != 0 {
		t.Errorf("the dry run planned %v and ended %d; the real one did %v", verdicts(dry), len(dry.Ended), want)
	}
	if len(res.Ended) != 5 || len(res.LeftOver) != 0 {
		t.Errorf("ended %d, left over %d", len(res.Ended), len(res.LeftOver))
	}
	// Gone is what the server says, not that it was signalled.
	if n := pgtest.Count(t, admin, "datname = $1 AND application_name = 'shop'", db.Name); n != 0 {
		t.Errorf("%d idle sessions are still there", n)
	}
	if n := pgtest.Count(t, admin, "datname = $1", other.Name); n != 3 {
		t.Errorf("%d sessions of the other database, want 3", n)
	}
	if err := inTx.Ping(ctx); err != nil {
		t.Errorf("the open transaction was ended: %v", err)
	}

	res, err = pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Ended) != 2 {
		t.Errorf("force ended %d, want the transaction and the report", len(res.Ended))
	}
	var pg *pgconn.PgError
	if err := <-done; !errors.As(err, &pg) || pg.Code != "57P01" {
		t.Errorf("the report's end: %v, want 57P01", err)
	}
}

func begin(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	if _, err := conn.Exec(ctx, "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

func TestASessionThatNeverRanAQueryIsIdleSinceItsLogin(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(1, "fresh")
	conn := login(t, db.URL("connection_limit=3"))
	res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Idle: time.Hour, Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	if v := verdicts(res); v[pgops.VerdictRecent] != 1 {
		t.Errorf("with -idle=1h: %v, want it spared as too recent", v)
	}
	pgtest.Eventually(t, 5*time.Second, "it is old enough for -idle=50ms", func() bool {
		res, err = pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Idle: 50 * time.Millisecond, Dry: true})
		return err == nil && verdicts(res)[pgops.VerdictEnd] == 1
	})
}

func TestOneForbiddenSessionDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, stranger := s.NewDatabase(), s.NewDatabase()
	s.Exec(fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", db.Name, stranger.Role))
	db.Open(4, "mine")
	pgtest.Connect(t, db.AdminURL()+"?application_name=superusers")
	pgtest.Connect(t, s.URL(stranger.Role, stranger.Password, db.Name, "application_name=strangers"))
	conn := login(t, db.URL("connection_limit=3"))
	for _, force := range []bool{false, true} {
		dry, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Force: force, Dry: true})
		if err != nil {
			t.Fatal(err)
		}
		want := pgops.VerdictHidden
		if force {
			want = pgops.VerdictRefused
		}
		if v := verdicts(dry); v[pgops.VerdictEnd] != 4 || v[want] != 2 {
			t.Errorf("force %v: %v, want 4 to end and 2 %q", force, v, want)
		}
	}
	res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Force: true})
	if err != nil || len(res.Ended) != 4 {
		t.Errorf("ended %d: %v", len(res.Ended), err)
	}
}

func TestASignalBackendRoleMayEndOthersButNotSuperusers(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, stranger := s.NewDatabase(), s.NewDatabase()
	s.Exec(fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", db.Name, stranger.Role),
		fmt.Sprintf("GRANT pg_signal_backend, pg_read_all_stats TO %s", db.Role))
	pgtest.Connect(t, db.AdminURL()+"?application_name=superusers")
	pgtest.Connect(t, s.URL(stranger.Role, stranger.Password, db.Name, "application_name=strangers"))
	conn := login(t, db.URL("connection_limit=3"))
	res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name})
	if err != nil {
		t.Fatal(err)
	}
	if v := verdicts(res); v[pgops.VerdictEnd] != 1 || v[pgops.VerdictRefused] != 1 || len(res.Ended) != 1 {
		t.Errorf("%v, ended %d", v, len(res.Ended))
	}
}

func TestOnlyTheNamedRoleOrTheNamedSessionsAreEnded(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, guest := s.NewDatabase(), s.NewDatabase()
	s.Exec(fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", db.Name, guest.Role))
	db.Open(2, "mine")
	pgtest.Connect(t, s.URL(guest.Role, guest.Password, db.Name, "application_name=guest"))
	conn := login(t, db.AdminURL()+"?connection_limit=3")
	res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, OnlyRole: db.Role, Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	if v := verdicts(res); v[pgops.VerdictEnd] != 2 || v[pgops.VerdictOtherRole] != 1 {
		t.Errorf("only one role: %v", v)
	}
	all, err := pgops.Sessions(ctx, conn, db.Name)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d sessions: %v", len(all), err)
	}
	reused := all[1].ID()
	reused.BackendStart = reused.BackendStart.Add(-time.Second) // another session had this pid
	res, err = pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Only: []pgops.SessionID{all[0].ID(), reused}})
	if err != nil || len(res.Ended) != 1 || res.Ended[0].PID != all[0].PID {
		t.Errorf("of one session and one pid used again: ended %v: %v", res.Ended, err)
	}
	res, err = pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Only: []pgops.SessionID{}})
	if err != nil || len(res.Judged) != 0 {
		t.Errorf("an empty choice chose %d: %v", len(res.Judged), err)
	}
}

func TestTwentyCleanupsAtOnceEndEverySessionOnceAndNotEachOther(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 80})
	db := s.NewDatabase()
	db.Open(30, "leak")
	var conns []*pgx.Conn
	for range 20 {
		conns = append(conns, login(t, db.URL("connection_limit=3")))
	}
	var wg sync.WaitGroup
	for _, conn := range conns {
		wg.Go(func() {
			res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Force: true})
			if err != nil || len(res.LeftOver) != 0 {
				t.Errorf("left over %d: %v", len(res.LeftOver), err)
			}
		})
	}
	wg.Wait()
	for _, conn := range conns {
		if err := conn.Ping(ctx); err != nil {
			t.Errorf("a cleanup ended another: %v", err)
		}
	}
	if n := pgtest.Count(t, s.Admin("postgres"), "application_name = 'leak'"); n != 0 {
		t.Errorf("%d sessions of the leak are left", n)
	}
}
