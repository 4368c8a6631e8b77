//go:build unix

package runbook_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// installed is testdata/vite-pg as npm installs it from its lock file.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/vite-pg")); err != nil {
		t.Fatal(err)
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	npm.Dir = root
	if out, err := npm.CombinedOutput(); err != nil {
		why := fmt.Sprintf("npm can't install Vite and node-postgres: %v: %s", err, out)
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return root
}

// counted is the most sessions of a database, the tool's own left out, that
// PostgreSQL itself tells while the test runs.
func counted(t *testing.T, s *pgtest.Server, database string) (peak func() int) {
	t.Helper()
	admin := s.Admin("postgres")
	stop, most := make(chan struct{}), 0
	var running sync.WaitGroup
	running.Go(func() {
		for {
			var n int
			if err := admin.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name <> 'dbtasks'", database).Scan(&n); err != nil {
				t.Error(err)
				return
			}
			most = max(most, n)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return sync.OnceValue(func() int {
		close(stop)
		running.Wait()
		return most
	})
}

// clientModule puts one of testdata's client modules into the app.
func clientModule(t *testing.T, root, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/vite-pg-clients", name+".js"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "src/db.js"), text, 0o640); err != nil {
		t.Fatal(err)
	}
	return text
}

// One Run of a dev server at a time in a process: these are not parallel.
func TestHotReloadOfARealViteAppIsProvenToLeakToHealOrToHold(t *testing.T) {
	root := installed(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	client := filepath.Join(root, "src/db.js")
	for _, c := range []struct {
		module, verdict string
		ok              bool
		growth          float64
	}{{"leaky", runbook.VerdictLeaks, false, 2}, {"healing", runbook.VerdictHeals, false, 2}, {"fixed", runbook.VerdictClean, true, 0}} {
		t.Run(c.module, func(t *testing.T) {
			db := s.NewDatabase()
			db.Open(3, "elsewhere") // sessions that are not the dev server's
			text := clientModule(t, root, c.module)
			old := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
			if err := os.Chtimes(client, old, old); err != nil {
				t.Fatal(err)
			}
			d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+ports(t))
			if err := os.WriteFile(filepath.Join(root, ".env"), []byte("DATABASE_URL="+db.URL("")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			peak := counted(t, s, db.Name)
			r, err := d.Verify(ctx, runbook.VerifyOptions{Reloads: 5, Max: 12})
			if err != nil {
				t.Fatalf("%v\n%+v", err, runbook.AsFailure(err))
			}
			if r.Verdict != c.verdict || r.OK != c.ok || r.CountedBy != "process" || len(r.Reloads) != 5 || r.Growth < c.growth-0.5 || r.Growth > c.growth+0.5 {
				t.Errorf("%s: %+v", r.Headline(), r)
			}
			if n := peak() - 3; n != r.Peak {
				t.Errorf("PostgreSQL saw %d sessions of the dev server at once, the proof %d", n, r.Peak)
			}
			if after, err := os.ReadFile(client); err != nil || !bytes.Equal(after, text) {
				t.Errorf("the client module was changed: %v\n%s", err, after)
			}
			if info, err := os.Stat(client); err != nil || !info.ModTime().Equal(old) || info.Mode().Perm() != 0o640 {
				t.Errorf("its time or mode was: %v, %v", info, err)
			}
			pgtest.Eventually(t, 5*time.Second, "the dev server is gone with its sessions", func() bool { return s.Sessions(db.Name) == 4 })
		})
	}
}

func TestWhatProvesNothingIsNotGreen(t *testing.T) {
	root := installed(t)
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+ports(t))
	if err := os.WriteFile(filepath.Join(root, ".env"), []byte("DATABASE_URL="+db.URL("")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(o runbook.VerifyOptions) error {
		_, err := d.Verify(ctx, o)
		return err
	}
	failure(t, verify(runbook.VerifyOptions{Reloads: 1, Max: 1}), "usage", runbook.ExitSettings)
	failure(t, verify(runbook.VerifyOptions{Reloads: 2, Max: 1}), "no_client", runbook.ExitNotDone)
	clientModule(t, root, "leaky")
	failure(t, verify(runbook.VerifyOptions{Reloads: 2, Max: 1, URL: "localhost"}), "usage", runbook.ExitSettings)
	failure(t, verify(runbook.VerifyOptions{Reloads: 2, Max: 1, URL: "http://127.0.0.1:" + ports(t)}), "no_page", runbook.ExitNotDone)
	failure(t, verify(runbook.VerifyOptions{Reloads: 2, Max: 1, URL: "/nowhere.html"}), "no_page", runbook.ExitNotDone)
	failure(t, verify(runbook.VerifyOptions{Reloads: 2, Max: 1, URL: "/static"}), "no_session", runbook.ExitNotDone)
}
