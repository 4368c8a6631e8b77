//go:build unix

package runbook_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// pooled is a server behind a PgBouncer whose console is open to the
// application's role.
func pooled(t *testing.T, slots int, settings map[string]string) (*pgtest.Server, pgtest.Database, *pgtest.Bouncer) {
	t.Helper()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: slots})
	db := s.NewDatabase()
	all := map[string]string{"stats_users": db.Role}
	for name, value := range settings {
		all[name] = value
	}
	return s, db, pgtest.StartBouncer(t, pgtest.BouncerOptions{Settings: all}, db)
}

func TestTheTestSaysWhatPoolerTheLoginWentThrough(t *testing.T) {
	t.Parallel()
	_, db, b := pooled(t, 20, nil)
	for _, parameters := range []string{"connection_limit=5", "connection_limit=5&pgbouncer=true"} {
		r, err := opened(t, t.TempDir(), "DATABASE_URL="+b.URL(db, parameters)).Test(ctx, runbook.TestOptions{})
		if err != nil || !r.OK || !r.Pooler || r.Bouncer == nil || r.Bouncer.Version == "" || r.Bouncer.Mode != "transaction" || r.Bouncer.MaxClients != 100 || r.Bouncer.PoolSize != 5 {
			t.Errorf("%s: %+v, %+v, %v", parameters, r, r.Bouncer, err)
		}
	}
	closed := pgtest.StartBouncer(t, pgtest.BouncerOptions{}, db)
	r, err := opened(t, t.TempDir(), "DATABASE_URL="+closed.URL(db, "connection_limit=5")).Test(ctx, runbook.TestOptions{})
	if err != nil || !r.Pooler || r.Bouncer == nil || r.Bouncer.Closed == "" || !strings.Contains(r.Bouncer.Headline(), "stats_users") {
		t.Errorf("a console that is closed to us: %+v, %+v, %v", r, r.Bouncer, err)
	}
	direct, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5")).Test(ctx, runbook.TestOptions{})
	if err != nil || direct.Pooler || direct.Bouncer != nil {
		t.Errorf("without a pooler: %+v, %v", direct, err)
	}
}

func TestWhoNamesTheClientsBehindThePooler(t *testing.T) {
	t.Parallel()
	_, db, b := pooled(t, 20, nil)
	shop := project(t)
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: b.URL(db, "application_name=shop", "sslmode=disable", "default_query_exec_mode=simple_protocol"), Sessions: 12, Dir: shop})
	keep := b.Connect(db, 1)[0]
	tx, err := keep.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	for _, env := range [][]string{
		{"DATABASE_URL=" + b.URL(db, "connection_limit=5"), "DIRECT_URL=" + db.URL()},
		{"DATABASE_URL=" + b.URL(db, "connection_limit=5")},
	} {
		r, err := opened(t, shop, env...).Who(ctx)
		if err != nil || r.Bouncer == nil || r.Bouncer.Clients < 12 || r.Bouncer.Busy < 1 {
			t.Fatalf("%+v, %+v, %v", r, r.Bouncer, err)
		}
		i := slices.IndexFunc(r.Bouncer.Sources, func(s runbook.Source) bool { return s.PID == leak.PID })
		if i < 0 || r.Bouncer.Sources[i].Count != 12 || !r.Bouncer.Sources[i].Ours || r.Bouncer.Sources[i].Applications[0] != "shop" {
			t.Errorf("%d of %v: the clients: %+v", i, env, r.Bouncer.Sources)
		}
		i = slices.IndexFunc(r.Sources, func(s runbook.Source) bool { return s.PID == b.PID })
		if i < 0 || !r.Sources[i].Pooler || r.Sources[i].Clients < 12 || !strings.Contains(r.Sources[i].Name(), "pgbouncer") || !strings.Contains(r.Sources[i].Name(), " clients of ") {
			t.Errorf("%d: the server's side: %+v", i, r.Sources)
		}
	}
}

func TestACleanupLeavesAPoolersBusySessionsAndItsClients(t *testing.T) {
	t.Parallel()
	s, db, b := pooled(t, 20, map[string]string{"pool_mode": "session"})
	clients := b.Connect(db, 3)
	for _, c := range clients {
		if _, err := c.Exec(ctx, "SELECT 1"); err != nil { // holds an idle session of the server as long as it is there
			t.Fatal(err)
		}
	}
	own := db.Open(2, "script")
	d := opened(t, t.TempDir(), "DATABASE_URL="+b.URL(db, "connection_limit=5"), "DIRECT_URL="+db.URL())
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || !r.OK || r.Ended != len(own) || len(r.Spared) != 3 || r.Spared[0].Verdict != pgops.VerdictPooled {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, c := range clients {
		if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
			t.Errorf("a client of the pooler lost its session: %v", err)
		}
	}
	r, err = d.Cleanup(ctx, runbook.CleanupOptions{Force: true})
	if err != nil || !r.OK || r.Ended < 3 {
		t.Errorf("-force: %+v, %v", r, err)
	}
	if n := s.Sessions(db.Name); n > 1 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestACleanupThroughAPoolerSaysWhatItCantDoAndEndsItsIdleSessions(t *testing.T) {
	t.Parallel()
	_, db, b := pooled(t, 20, nil)
	clients := b.Connect(db, 10)
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { _, _ = c.Exec(ctx, "SELECT pg_sleep(0.2)") })
	}
	all.Wait() // now the pool has its 5 sessions, idle
	db.Open(2, "script")
	r, err := opened(t, t.TempDir(), "DATABASE_URL="+b.URL(db, "connection_limit=5")).Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || !r.OK || r.Ended < 2+4 || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "DIRECT_URL") }) {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, c := range clients {
		if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
			t.Errorf("a client of the pooler: %v", err)
		}
	}
}

func TestAPoolersOwnLimitIsToldFromTheServers(t *testing.T) {
	t.Parallel()
	_, db, b := pooled(t, 20, map[string]string{"max_client_conn": "6"})
	b.Connect(db, 6)
	d := opened(t, t.TempDir(), "DATABASE_URL="+b.URL(db, "connection_limit=5"))
	_, err := d.Test(ctx, runbook.TestOptions{})
	f := failure(t, err, "pooler_limit", 1)
	if !strings.Contains(f.Message, "max_client_conn") && !strings.Contains(f.Message, "its own limit") {
		t.Error(f.Message)
	}
}

func TestAPausedAndADisabledPoolerAreNamedWithWhatEndsIt(t *testing.T) {
	t.Parallel()
	// A server connection that PAUSE cuts short counts as a failed one (seen in
	// 1.18): the next is tried after server_login_retry, 15 s by default.
	_, db, b := pooled(t, 20, map[string]string{"server_login_retry": "1"})
	url := b.URL(db, "connection_limit=5", "connect_timeout=2")
	b.Connect(db, 1) // else there is nothing to pause
	for _, c := range []struct{ command, code, undo string }{
		{"PAUSE " + db.Name, "pooler_paused", "RESUME " + db.Name},
		{"KILL " + db.Name, "pooler_paused", "RESUME " + db.Name},
		{"DISABLE " + db.Name, "pooler_disabled", "ENABLE " + db.Name},
	} {
		b.Exec(c.command)
		began := time.Now()
		_, err := opened(t, t.TempDir(), "DATABASE_URL="+url).Test(ctx, runbook.TestOptions{})
		f := failure(t, err, c.code, 1)
		if !strings.Contains(f.Next, c.undo) {
			t.Errorf("%s: next: %s", c.command, f.Next)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %s", c.command, took)
		}
		b.Exec(c.undo)
		pgtest.Eventually(t, 10*time.Second, "it is open again after "+c.undo, func() bool {
			_, err := opened(t, t.TempDir(), "DATABASE_URL="+url).Test(ctx, runbook.TestOptions{})
			return err == nil
		})
	}
}

func TestTheMonitorShowsThePoolersClientsEveryTime(t *testing.T) {
	t.Parallel()
	_, db, b := pooled(t, 20, nil)
	b.Connect(db, 7)
	var samples []runbook.MonitorSample
	d := opened(t, t.TempDir(), "DATABASE_URL="+b.URL(db, "connection_limit=5"), "DIRECT_URL="+db.URL())
	if _, err := d.Monitor(ctx, runbook.MonitorOptions{Every: 100 * time.Millisecond, For: time.Second}, func(s runbook.MonitorSample) { samples = append(samples, s) }); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if s.Bouncer == nil || s.Bouncer.Clients != 7 || s.Bouncer.MaxClients != 100 {
			t.Fatalf("%+v", s.Bouncer)
		}
	}
	if len(samples) < 3 {
		t.Errorf("%d samples", len(samples))
	}
}

// documentedConfig is the pgbouncer.ini of docs/limits.md.
func documentedConfig(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```ini\n")
	config, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 || !strings.Contains(config, "[pgbouncer]") {
		t.Fatal("docs/limits.md has no pgbouncer.ini")
	}
	return config
}

// The documented way out for those who have outgrown direct connections, as it
// stands there.
func TestAThousandClientsShareTwentySlotsWithTheDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	const clients = 1000
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	b := pgtest.StartBouncer(t, pgtest.BouncerOptions{Config: documentedConfig(t)}, db)
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	began := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	var held []*pgx.Conn
	var failed error
	gate := make(chan struct{}, 50) // logins at once
	for range clients {
		all.Go(func() {
			gate <- struct{}{}
			conn, err := pgx.Connect(limited, b.URL(db, "sslmode=disable", "default_query_exec_mode=simple_protocol"))
			if err == nil {
				_, err = conn.Exec(limited, "SELECT count(*) FROM pg_class")
			}
			<-gate
			mu.Lock()
			defer mu.Unlock()
			if held = append(held, conn); err != nil && failed == nil {
				failed = err
			}
		})
	}
	all.Wait()
	defer func() {
		for _, c := range held {
			if c != nil {
				_ = c.PgConn().Conn().Close()
			}
		}
	}()
	if failed != nil {
		t.Fatal(failed)
	}
	if n := s.Sessions(db.Name); n < 1 || n > 17 {
		t.Errorf("%d sessions of the server", n)
	} else {
		t.Logf("%d clients, each with a query, in %s; %d sessions of the server's 20 slots", clients, time.Since(began).Round(time.Millisecond), n)
	}
}
