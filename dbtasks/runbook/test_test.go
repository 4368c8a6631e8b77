package runbook_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestAFreshLoginSaysWhoWhereVersionAndSlots(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(3, "shop")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5", "schema=public", "frobnicate=1"))
	r, err := d.Test(ctx, runbook.TestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Target.Role != db.Role || r.Target.Database != db.Name || r.Target.Port != s.Port || r.PoolLimit != 5 || r.Pooler {
		t.Errorf("%+v", r)
	}
	if r.Version != pgtest.Binaries(t).Version && !strings.HasPrefix(r.Version, pgtest.Binaries(t).Version) {
		t.Errorf("version %q, want %q", r.Version, pgtest.Binaries(t).Version)
	}
	if r.Usable != 17 || r.Slots.Max != 20 || r.Slots.Used != 4 || r.LatencyMS <= 0 || r.LoginMS <= 0 {
		t.Errorf("slots %+v, usable %d, latency %f", r.Slots, r.Usable, r.LatencyMS)
	}
	if fmt.Sprint(r.Ignored) != "[frobnicate]" {
		t.Errorf("ignored %v", r.Ignored)
	}
}

func TestEveryCauseOfAFailedLoginIsToldApart(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{HBA: []string{"host all locked_out 127.0.0.1/32 reject", "hostssl all tls_only 127.0.0.1/32 scram-sha-256", "host all tls_only 127.0.0.1/32 reject"}})
	db := s.NewDatabase()
	s.Exec("CREATE ROLE locked_out LOGIN PASSWORD 'x'", "CREATE ROLE few LOGIN PASSWORD 'x' CONNECTION LIMIT 1", "CREATE ROLE nologin NOLOGIN PASSWORD 'x'",
		"CREATE DATABASE small CONNECTION LIMIT 1", "CREATE ROLE small_user LOGIN PASSWORD 'x'", "CREATE DATABASE closed", "REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
	pgtest.Connect(t, s.URL("few", "x", db.Name))
	pgtest.Connect(t, s.URL("small_user", "x", "small"))
	refused := pgtest.FreePort(t)
	silent := listenAnd(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	http := listenAnd(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); _ = c.Close() })
	closing := listenAnd(t, func(c net.Conn) { _ = c.Close() })
	url := func(role, password, database, params string) string {
		return s.URL(role, password, database, "connection_limit=1", params)
	}
	at := func(port int) string {
		return fmt.Sprintf("postgresql://app:x@127.0.0.1:%d/shop?connection_limit=1&connect_timeout=1", port)
	}
	for _, c := range []struct{ what, url, code, next string }{
		{"nothing listens", at(refused), "connection_refused", "-wait"},
		{"no such host", "postgresql://app:x@nowhere.invalid/shop?connection_limit=1", "no_such_host", "DATABASE_URL"},
		{"no such socket", "postgresql://app:x@localhost/shop?connection_limit=1&host=" + t.TempDir(), "connection_refused", "start PostgreSQL"},
		{"says nothing", at(silent), "timeout", "dev:recover"},
		{"speaks HTTP", at(http), "not_postgres", "host and port"},
		{"closes at once", at(closing), "hung_up", "-wait"},
		{"wrong password", url(db.Role, "wrong", db.Name, ""), "auth_failed", "DATABASE_URL"},
		{"no such role", url("nobody_here", "x", db.Name, ""), "auth_failed", "DATABASE_URL"},
		{"no such database", url(db.Role, db.Password, "nothing_here", ""), "no_such_database", "CREATE DATABASE"},
		{"may not connect", url("small_user", "x", "closed", ""), "no_access", "GRANT CONNECT"},
		{"pg_hba rejects", url("locked_out", "x", db.Name, "sslmode=disable"), "pg_hba", "pg_hba.conf"},
		{"wants TLS that is not offered", url(db.Role, db.Password, db.Name, "sslmode=require"), "tls_not_offered", "DATABASE_URL="},
		{"role limit", url("few", "x", db.Name, ""), "role_limit", "ALTER ROLE"},
		{"database limit", url("small_user", "x", "small", ""), "database_limit", "ALTER DATABASE"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			d := opened(t, t.TempDir(), "DATABASE_URL="+c.url)
			began := time.Now()
			_, err := d.Test(ctx, runbook.TestOptions{})
			f := failure(t, err, c.code, runbook.ExitNotDone)
			if !strings.Contains(f.Next, c.next) {
				t.Errorf("next %q, want something with %q", f.Next, c.next)
			}
			if took := time.Since(began); took > 5500*time.Millisecond {
				t.Errorf("took %s, longer than the connect timeout", took)
			}
			if all := fmt.Sprint(f.Message, f.Details, f.Next, f.Err); strings.Contains(all, db.Password) {
				t.Errorf("the password is shown: %s", all)
			}
		})
	}
}

func TestAFullServerIsNamedAsFullAndItsHoldersToo(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	root := t.TempDir()
	pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=leak"), Sessions: 17, Dir: root})
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"))
	_, err := d.Test(ctx, runbook.TestOptions{})
	f := failure(t, err, "slots_reserved", runbook.ExitNotDone)
	if !strings.Contains(f.Next, "db:cleanup") || !strings.Contains(strings.Join(f.Details, "\n"), "17 connections held by") {
		t.Errorf("next %q, details %q", f.Next, f.Details)
	}
	fillReserved(t, s)
	_, err = d.Test(ctx, runbook.TestOptions{})
	failure(t, err, "slots_full", runbook.ExitNotDone)
}

func TestWaitGoesOnUntilTheServerAnswers(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	conns, _ := db.Fill("leak")
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	timer := time.AfterFunc(600*time.Millisecond, func() { _ = conns[0].Close(ctx) })
	defer timer.Stop()
	r, err := d.Test(ctx, runbook.TestOptions{Wait: 10 * time.Second})
	if err != nil || !r.OK || r.WaitedMS < 300 {
		t.Errorf("%+v, %v", r, err)
	}
	began := time.Now()
	d = opened(t, t.TempDir(), "DATABASE_URL="+s.URL(db.Role, "wrong", db.Name, "connection_limit=5"))
	_, err = d.Test(ctx, runbook.TestOptions{Wait: 10 * time.Second})
	failure(t, err, "auth_failed", runbook.ExitNotDone)
	if time.Since(began) > 3*time.Second {
		t.Error("it waited for a wrong password to become right")
	}
}

// listenAnd accepts connections and hands each to serve.
func listenAnd(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
