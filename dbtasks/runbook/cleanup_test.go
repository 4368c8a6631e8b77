package runbook_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestCleanupGetsInThroughTheReservedSlotsWhenTheOrdinaryOnesAreTaken(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, other := s.NewDatabase(), s.NewDatabase()
	other.Open(2, "elsewhere")
	leak, refused := db.Fill("leak")
	if cause := pgops.CauseOf(refused); cause != pgops.CauseReservedOnly {
		t.Fatalf("the server refused with %s: %v", cause, refused)
	}
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Ended != len(leak) || r.Route != runbook.RouteAdminURL || r.Free < len(leak)-1 {
		t.Errorf("%+v, want %d ended through the admin URL", r, len(leak))
	}
	if n := s.Sessions(other.Name); n != 2 {
		t.Errorf("%d sessions of the other database, want 2", n)
	}
}

func TestAFullServerIsRecoveredByASignalToOneIdleBackend(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"cluster_name": "15/main: x"}})
	db, other := s.NewDatabase(), s.NewDatabase()
	other.Open(3, "elsewhere")
	inTx := db.Open(1, "migration")[0]
	if _, err := inTx.Exec(ctx, "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	leak, _ := db.Fill("leak")
	fillReserved(t, s)
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))

	dry, err := d.Cleanup(ctx, runbook.CleanupOptions{Dry: true})
	if !maySignal(s) {
		f := failure(t, err, "slots_full", runbook.ExitNotDone)
		t.Logf("as this user: %v", f.Details)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(dry.Plan) != len(leak) || dry.Ended != 0 || dry.Route != runbook.RouteSignal {
		t.Errorf("dry run: %+v, want %d planned by their titles", dry, len(leak))
	}
	for _, c := range leak {
		if c.IsClosed() || c.Ping(ctx) != nil {
			t.Fatal("the dry run ended a session")
		}
	}

	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// One for a reserved slot, to which no door opens, and three beside it for the
	// URL's role; six more where a login that was refused still has its slot.
	if r.Route != runbook.RouteSignal || !r.OK || r.Freed != 4 && r.Freed != 10 {
		t.Errorf("%+v", r)
	}
	if err := inTx.Ping(ctx); err != nil {
		t.Errorf("the open transaction was ended: %v", err)
	}
	if n := s.Sessions(other.Name); n != 3 {
		t.Errorf("%d sessions of the other database, want 3", n)
	}
	if n := s.Sessions(db.Name); n > 2 { // the transaction, and our own session
		t.Errorf("%d sessions of the full database are left", n)
	}
}

// fillReserved takes the superusers' slots until nobody at all gets in.
func fillReserved(t *testing.T, s *pgtest.Server) {
	t.Helper()
	for range 100 {
		conn, err := pgx.Connect(ctx, s.AdminURL("postgres"))
		if err != nil {
			if cause := pgops.CauseOf(err); cause != pgops.CauseSlotsFull {
				t.Fatalf("a superuser was refused with %s: %v", cause, err)
			}
			return
		}
		t.Cleanup(func() { _ = conn.Close(ctx) })
	}
	t.Fatal("the server is never full")
}

// maySignal tells whether this user is root or the server's account.
func maySignal(s *pgtest.Server) bool {
	me, err := user.Current()
	return os.Getuid() == 0 || err == nil && me.Username == s.Account
}

func TestALeakThatReconnectsAsFastAsItCanDoesNotKeepUsOut(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 12})
	db := s.NewDatabase()
	reconnecting(t, db)
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	var r runbook.CleanupReport
	pgtest.Eventually(t, 10*time.Second, "a cleanup sees who came back", func() bool {
		var err error
		if r, err = d.Cleanup(ctx, runbook.CleanupOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		return r.Ended > 0 && len(r.CameBack) > 0
	})
	if r.CameBack[0].ApplicationName != "leak" || r.Next == "" || len(r.BackBy) == 0 || r.BackBy[0].PID != os.Getpid() {
		t.Errorf("came back %+v, by %+v, next %q", r.CameBack[0], r.BackBy, r.Next)
	}
}

func TestALeakThatReconnectsDoesNotKeepUsOutOfAServerWithoutAnySlot(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may signal a backend")
	}
	db := s.NewDatabase()
	reconnecting(t, db)
	fillReserved(t, s)
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(runbook.AsFailure(err).Details, "\n"))
	}
	if r.Route != runbook.RouteSignal || r.Freed < 1 {
		t.Errorf("%+v", r)
	}
}

// reconnecting fills the server with sessions that are opened again as soon as
// they are ended, until the test ends.
func reconnecting(t *testing.T, db pgtest.Database) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	conns, _ := db.Fill("leak")
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for i, c := range conns {
				if c.IsClosed() || c.Ping(ctx) != nil {
					if n, err := pgx.Connect(ctx, db.URL("application_name=leak")); err == nil {
						conns[i] = n
					}
				}
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		for _, c := range conns {
			_ = c.Close(ctx)
		}
	})
}

func TestATunnelOnLocalhostIsNotLocalUnlessItsDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, guest := s.NewDatabase(), s.NewDatabase()
	s.Exec(fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", db.Name, guest.Role), fmt.Sprintf("GRANT pg_signal_backend, pg_read_all_stats TO %s", db.Role))
	db.Open(2, "mine")
	pgtest.Connect(t, s.URL(guest.Role, guest.Password, db.Name, "application_name=guest"))
	port := tunnel(t, fmt.Sprintf("127.0.0.1:%d", s.Port))
	url := strings.Replace(db.URL("connection_limit=5"), fmt.Sprintf(":%d/", s.Port), fmt.Sprintf(":%d/", port), 1)
	d := opened(t, t.TempDir(), "DATABASE_URL="+url)

	for _, o := range []runbook.CleanupOptions{{}, {Force: true}, {Dry: true}} {
		_, err := d.Cleanup(ctx, o)
		f := failure(t, err, "refused_remote", runbook.ExitRefused)
		if !strings.Contains(f.Next, "-remote="+db.Name) || !strings.Contains(f.Message, fmt.Sprint(os.Getpid())) {
			t.Errorf("%s / %s: want the listener's pid and how to allow it", f.Message, f.Next)
		}
	}
	_, err := d.Cleanup(ctx, runbook.CleanupOptions{Remote: "another"})
	failure(t, err, "wrong_remote", runbook.ExitSettings)
	if n := s.Sessions(db.Name); n != 4 { // ours too: the pool keeps it
		t.Errorf("%d sessions after three refusals, want 4", n)
	}
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{Remote: db.Name})
	if err != nil {
		t.Fatal(err)
	}
	if r.Ended != 2 || len(r.Spared) != 1 || r.Spared[0].Verdict != pgops.VerdictOtherRole {
		t.Errorf("ended %d, spared %+v: want this role's sessions only", r.Ended, r.Spared)
	}
}

// tunnel forwards a port of loopback to another address, as ssh -L does: this
// test process is the listener, and it is no PostgreSQL.
func tunnel(t *testing.T, to string) int {
	t.Helper()
	return listenAnd(t, func(in net.Conn) {
		out, err := net.Dial("tcp", to)
		if err != nil {
			_ = in.Close()
			return
		}
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		_, _ = io.Copy(in, out)
		_ = in.Close()
	})
}

func TestAPoolLimitAboveWhatTheServerCanGiveIsRefusedBeforeAnythingIsEnded(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(2, "leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=18"))
	_, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	f := runbook.AsFailure(err)
	if f == nil || f.Exit != runbook.ExitSettings || !strings.Contains(f.Next, "connection_limit=5") || strings.Contains(f.Message+f.Next, db.Password) {
		t.Fatalf("%+v", f)
	}
	if n := pgtest.Count(t, s.Admin("postgres"), "application_name = 'leak'"); n != 2 {
		t.Errorf("%d sessions of the leak, want 2", n)
	}
}

func TestAnAdminURLOfAnotherServerIsNotUsed(t *testing.T) {
	t.Parallel()
	full, other := pgtest.Start(t, pgserver.DisposableOptions{}), pgtest.Start(t, pgserver.DisposableOptions{})
	db := full.NewDatabase()
	db.Fill("leak")
	fillReserved(t, full)
	other.Exec(fmt.Sprintf("CREATE DATABASE %s", db.Name))
	bystander := pgtest.Connect(t, other.AdminURL(db.Name))
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+other.AdminURL("postgres"))
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{Force: true})
	if err == nil && r.Route == runbook.RouteAdminURL {
		t.Errorf("it worked on the other server: %+v", r)
	}
	if err := bystander.Ping(ctx); err != nil {
		t.Errorf("a session of the other server was ended: %v", err)
	}
}

func TestAfterASlotWasFreedTheBestRoleGoesOn(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("the server runs as another account, which may not be signalled from here")
	}
	db := s.NewDatabase()
	db.Open(17, "leak")
	for range 3 { // the reserved slots, in this very database
		pgtest.Connect(t, s.AdminURL(db.Name))
	}
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"))
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Ended+r.Freed != 20 || len(r.Refused) != 0 || r.Freed < 1 {
		t.Errorf("ended %d, freed %d, refused %v, through %s", r.Ended, r.Freed, r.Refused, r.Route)
	}
}
