//go:build unix

package runbook_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// quiet are streams of a dev server that nobody watches.
func quiet(t *testing.T, o runbook.StartOptions) (runbook.StartOptions, string) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close(); _ = out.Close() })
	o.Stdin, o.Stdout, o.Stderr = null, out, out
	return o, path
}

// Runs of the dev server are one at a time in a process: these tests are not
// parallel with each other.
func TestStartSparesTheProjectsOwnSessionsAndPassesTheExitCodeOn(t *testing.T) {
	root := project(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=ours"), Sessions: 2, Dir: root})
	pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=elsewhere"), Sessions: 3, Dir: t.TempDir()})
	if err := os.WriteFile(filepath.Join(root, ".env"), []byte("FROM_DOTENV=yes\nDATABASE_URL='"+db.URL("connection_limit=5")+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := pgtest.FreePort(t)
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	o, out := quiet(t, runbook.StartOptions{Command: `echo "port=$PORT app=$PGAPPNAME dotenv=$FROM_DOTENV url=$DATABASE_URL"; exit 7`})
	r, err := d.Start(ctx, o)
	if err != nil || r.ExitCode != 7 || r.OK || r.Port != port {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Cleanup.Ended != 3 || len(r.Cleanup.Spared) != 2 {
		t.Errorf("ended %d, spared %d, want 3 of elsewhere and 2 of ours", r.Cleanup.Ended, len(r.Cleanup.Spared))
	}
	if n := pgtest.Count(t, s.Admin("postgres"), "application_name = 'ours'"); n != 2 {
		t.Errorf("%d sessions of this project's process, want 2", n)
	}
	text, err := os.ReadFile(out)
	if want := fmt.Sprintf("port=%d app=shop dotenv= url=\n", port); err != nil || string(text) != want {
		t.Errorf("the environment: %q, want %q: %v", text, want, err)
	}
}

func TestAStaleServerIsNamedAndReplacedOnlyWhenAsked(t *testing.T) {
	root, port := nodeProject(t), pgtest.FreePort(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	stale := started(t, root, port, nil, "node", "server.js")
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"), fmt.Sprintf("DBTASKS_PORTS=%d", port))
	o, _ := quiet(t, runbook.StartOptions{Command: "exit 0"})
	_, err := d.Start(ctx, o)
	f := failure(t, err, "stale_server", runbook.ExitNotDone)
	if !strings.Contains(f.Message, fmt.Sprintf("pid %d", stale.Process.Pid)) || !strings.Contains(f.Message, fmt.Sprintf("port %d", port)) || !listens(port) {
		t.Errorf("%s; listens %v", f.Message, listens(port))
	}
	o.Replace = true
	r, err := d.Start(ctx, o)
	if err != nil || !r.OK || r.Port != port || r.Stopped == nil || r.Stopped.Gone != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTheGuardWarnsOnceAndNoSessionIsLeftWhenTheRunIsCancelled(t *testing.T) {
	root, port := project(t), pgtest.FreePort(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	devEnv(t, root, db)
	said := &syncBuilder{}
	d := openedSaying(t, said, root, fmt.Sprintf("DBTASKS_PORTS=%d", port))
	o, _ := quiet(t, runbook.StartOptions{Guard: 6, Command: "SESSIONS=5 DBTASKS_ROLE=dev-app '" + self(t) + "'"})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		r   runbook.StartReport
		err error
	}
	ended := make(chan end, 1)
	go func() { r, err := d.Start(ctx, o); ended <- end{r, err} }()
	pgtest.Eventually(t, 20*time.Second, "the dev server listens", func() bool { return listens(port) })
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 10*time.Second, "the guard has a session", func() bool { return pgtest.Count(t, admin, "application_name = 'dbtasks'") == 1 })
	if text := said.String(); strings.Contains(text, "warning") {
		t.Errorf("a warning of 5 sessions: %s", text)
	}
	db.Open(2, "psql")
	pgtest.Eventually(t, 10*time.Second, "the guard warns", func() bool { return strings.Contains(said.String(), "guard 6") })
	// Again when it has looked twice more: its own session is seen to work.
	looked := func() (at time.Time) {
		if err := admin.QueryRow(ctx, "SELECT coalesce(max(state_change), 'epoch') FROM pg_stat_activity WHERE application_name = 'dbtasks'").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	for range 2 {
		last := looked()
		pgtest.Eventually(t, 10*time.Second, "the guard looks again", func() bool { return looked().After(last) })
	}
	if text := said.String(); strings.Count(text, "warning") != 1 || !strings.Contains(text, "most are of shop: 5 idle") {
		t.Errorf("%s", text)
	}
	if n := pgtest.Count(t, admin, "application_name = 'dbtasks'"); n != 1 {
		t.Errorf("%d sessions of the tool while it guards, want 1", n)
	}
	began := time.Now()
	cancel()
	e := <-ended
	if e.err != nil || !e.r.OK || len(e.r.Left) != 0 || e.r.Ended != "interrupted" || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %+v, %v", time.Since(began), e.r, e.err)
	}
	if listens(port) {
		t.Error("the dev server still listens")
	}
	pgtest.Eventually(t, time.Second, "the dev server's sessions are gone", func() bool { return pgtest.Count(t, admin, "application_name = 'shop'") == 0 })
}

func TestNpmRunDevIsEndedAsAWholeWhenTheRunIsCancelled(t *testing.T) {
	root, port := nodeProject(t), pgtest.FreePort(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	d := opened(t, root, "DATABASE_URL="+s.NewDatabase().URL("connection_limit=5"), fmt.Sprintf("DBTASKS_PORTS=%d", port))
	o, _ := quiet(t, runbook.StartOptions{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { _, err := d.Start(ctx, o); ended <- err }()
	pgtest.Eventually(t, 20*time.Second, "the dev server listens", func() bool { return listens(port) })
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tree := slices.DeleteFunc(table.Descendants(os.Getpid()), func(p hostops.Process) bool { return !hostops.Under(table.Detail(p.PID).Dir, root) })
	if len(tree) < 2 {
		t.Fatalf("the tree of npm run dev is %v", tree)
	}
	began := time.Now()
	cancel()
	if err := <-ended; err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	for _, p := range tree {
		if !hostops.Gone(p.Identity) {
			t.Errorf("%s is left", p)
		}
	}
}

func TestAPortThatIsTakenIsSkippedAndOneThatWasAskedForIsNot(t *testing.T) {
	root := project(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	taken := listenAnd(t, func(c net.Conn) { _ = c.Close() })
	last := min(taken+20, 65535)
	d := opened(t, root, "DATABASE_URL="+s.NewDatabase().URL("connection_limit=5"), fmt.Sprintf("DBTASKS_PORTS=%d-%d", taken, last))
	o, out := quiet(t, runbook.StartOptions{Command: `echo "$PORT"`})
	r, err := d.Start(ctx, o)
	if err != nil || !r.OK || r.Port <= taken || r.Port > last {
		t.Errorf("%+v, %v", r, err)
	}
	if text, err := os.ReadFile(out); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(r.Port) {
		t.Errorf("PORT was %q, want %d: %v", text, r.Port, err)
	}
	o.Port = taken
	_, err = d.Start(ctx, o)
	failure(t, err, "no_port", runbook.ExitNotDone)
}

func TestWithoutADevScriptNothingIsTouched(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "package.json"), []byte(`{"name":"shop"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(2, "idle")
	o, _ := quiet(t, runbook.StartOptions{Replace: true})
	_, err := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5")).Start(ctx, o)
	if f := runbook.AsFailure(err); f == nil || f.Exit != runbook.ExitSettings || !strings.Contains(f.Next, "DBTASKS_DEV_COMMAND") {
		t.Errorf("%+v", f)
	}
	if n := s.Sessions(db.Name); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}
