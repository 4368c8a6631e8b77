//go:build unix

package runbook_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// project is a folder with a package.json whose dev script ends by itself.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "package.json"), []byte(`{"name":"shop","scripts":{"dev":"true"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

// recoverSteps runs dev:recover without the dev server.
func recoverSteps(t *testing.T, d *runbook.Runbook, o runbook.RecoverOptions) (runbook.RecoverReport, map[string]string, error) {
	t.Helper()
	steps := map[string]string{}
	r, err := d.Recover(ctx, o, func(runbook.RecoverReport) {}, func(s runbook.Step) { steps[s.Name] = s.Status })
	return r, steps, err
}

func TestRecoverFreesAFullServerWithoutARestartAndInOrder(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Fill("leak")
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+s.AdminURL("postgres"), "DBTASKS_PORTS="+ports(t))
	before, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	dry, _, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto, Dry: true})
	if err != nil || len(dry.Steps) != 5 || dry.Steps[0].Name != "stop" || dry.Steps[4].Name != "start" {
		t.Fatalf("%+v, %v", dry, err)
	}
	if n := s.Sessions(db.Name); n != 17 {
		t.Errorf("%d sessions after the dry run, want 17", n)
	}
	r, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto})
	if err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	want := map[string]string{"stop": "done", "restart": "skipped", "cleanup": "done", "test": "done", "start": "skipped"}
	for name, status := range want {
		if steps[name] != status {
			t.Errorf("step %s: %s, want %s", name, steps[name], status)
		}
	}
	if r.Cleanup.Ended != 17 {
		t.Errorf("ended %d", r.Cleanup.Ended)
	}
	if after, err := s.Postmaster(); err != nil || after.PID != before.PID {
		t.Errorf("the server was restarted: %d, then %d: %v", before.PID, after.PID, err)
	}
}

// ports is a range of one port that nobody listens on: another project's dev
// servers on this machine are none of a test's business.
func ports(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(pgtest.FreePort(t))
}

func TestRecoverRestartsAServerThatIsFrozenOutOfReach(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may restart it")
	}
	db := s.NewDatabase()
	db.Open(2, "leak")
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+ports(t))
	before, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(before.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if now, err := s.Postmaster(); err == nil && now.PID == before.PID {
			_ = syscall.Kill(before.PID, syscall.SIGCONT)
		}
	})
	r, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAlways})
	if err != nil || !r.OK || steps["restart"] != "done" {
		t.Fatalf("%+v, %v", r, err)
	}
	after, err := s.Postmaster()
	if err != nil || after.PID == before.PID || after.Port != before.Port {
		t.Errorf("before %+v, after %+v: %v", before, after, err)
	}
	if n := s.Sessions(db.Name); n > 1 {
		t.Errorf("%d sessions after the restart", n)
	}
}

func TestRecoverRestartsByItselfOnlyWhenNobodyIsLetInAtAll(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if !maySignal(s) {
		t.Skip("only root or the server's account may restart it")
	}
	db := s.NewDatabase()
	held := db.Open(1, "app")
	before, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	// A smart shutdown waits for this client for ever and lets nobody in.
	if err := syscall.Kill(before.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+ports(t))
	pgtest.Eventually(t, 5*time.Second, "the server lets nobody in", func() bool {
		_, err := d.Test(ctx, runbook.TestOptions{})
		return err != nil
	})
	r, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto})
	if err != nil || !r.OK || steps["restart"] != "done" {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := held[0].Ping(ctx); err == nil {
		t.Error("the client of the smart shutdown still has its session")
	}
}

func TestRecoverStopsAtTheFirstStepThatFailsAndSaysWhatIsDone(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	d := opened(t, project(t), "DATABASE_URL="+s.URL(db.Role, "wrong", db.Name, "connection_limit=5"), "DBTASKS_PORTS="+ports(t))
	_, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto})
	f := failure(t, err, "auth_failed", runbook.ExitNotDone)
	if steps["stop"] != "done" || steps["restart"] != "failed" || steps["cleanup"] != "" {
		t.Errorf("steps %v: a wrong password is no reason to restart", steps)
	}
	if text := strings.Join(f.Details, "\n"); !strings.Contains(text, "done: stop") || !strings.Contains(text, "not done: restart cleanup test") {
		t.Errorf("details %q", f.Details)
	}
}

func TestRecoverRefusesAnotherMachinesServerBeforeItTouchesAnything(t *testing.T) {
	t.Parallel()
	d := opened(t, project(t), "DATABASE_URL=postgresql://app:x@192.0.2.1:5432/shop?connection_limit=5&connect_timeout=1", "DBTASKS_PORTS="+ports(t))
	_, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto})
	failure(t, err, "refused_remote", runbook.ExitRefused)
	if len(steps) != 0 {
		t.Errorf("steps %v", steps)
	}
}

func TestRecoverStopsNothingWhereTheRestartThatIsAskedForIsNotKnown(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	started(t, root, port, nil, "node", "server.js")
	d := opened(t, root, "DATABASE_URL=postgresql://app:x@127.0.0.1:"+strconv.Itoa(pgtest.FreePort(t))+"/shop?connection_limit=5", "DBTASKS_PORTS="+strconv.Itoa(port))
	_, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAlways})
	f := failure(t, err, "no_restart", runbook.ExitNotDone)
	if len(steps) != 0 || !listens(port) || !strings.Contains(f.Next, "DBTASKS_RESTART_COMMAND") {
		t.Errorf("steps %v, listens %v, next %q", steps, listens(port), f.Next)
	}
}

func TestRecoverDoesNotRestartByItselfWhileAnotherDatabaseIsAtWork(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db, other := s.NewDatabase(), s.NewDatabase()
	for _, c := range other.Open(2, "report") {
		if _, err := c.Exec(ctx, "BEGIN; SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	other.Open(15, "blog")
	fillReserved(t, s) // nobody is let in, and no session of our database is there to end
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+ports(t))
	before, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	dry, _, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAlways, Dry: true})
	if maySignal(s) && err != nil {
		t.Fatal(err)
	}
	if maySignal(s) {
		atWork := 0
		for _, e := range dry.Steps[1].Ends {
			if e.Database == other.Name {
				atWork += e.AtWork
			}
		}
		if atWork != 2 {
			t.Errorf("the plan names %d sessions of %s at work, want 2: %+v", atWork, other.Name, dry.Steps[1].Ends)
		}
	}
	_, _, err = recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto})
	if maySignal(s) {
		f := failure(t, err, "others_at_work", runbook.ExitNotDone)
		if !strings.Contains(strings.Join(f.Details, "\n"), other.Name) || !strings.Contains(f.Next, "-restart=always") {
			t.Errorf("%v / %s", f.Details, f.Next)
		}
	}
	if after, err := s.Postmaster(); err != nil || after.PID != before.PID {
		t.Errorf("the server was restarted: %v", err)
	}
}
