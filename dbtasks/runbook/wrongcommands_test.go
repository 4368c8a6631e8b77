//go:build unix

package runbook_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// A command that can't be run is refused before anything is touched, with the
// setting, its file and line, and what to write instead.
func TestACommandThatCannotRunIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db := s.NewDatabase()
	leak := db.Open(2, "leak")
	start := func(d *runbook.Runbook) error { _, err := d.Start(ctx, runbook.StartOptions{}); return err }
	command := func(line string) func(*runbook.Runbook) error {
		return func(d *runbook.Runbook) error {
			_, err := d.Start(ctx, runbook.StartOptions{Command: line})
			return err
		}
	}
	recovers := func(d *runbook.Runbook) error {
		_, err := d.Recover(ctx, runbook.RecoverOptions{Restart: runbook.RestartAuto, Start: true}, func(runbook.RecoverReport) {}, func(runbook.Step) {})
		return err
	}
	tests := func(d *runbook.Runbook) error { _, err := d.DevTest(ctx, nil, os.Stdout, os.Stderr); return err }
	raise := func(d *runbook.Runbook) error {
		n := 60
		_, err := d.Limits(ctx, runbook.LimitsOptions{Raise: &n})
		return err
	}
	for what, c := range map[string]struct {
		line string // of .env
		call func(*runbook.Runbook) error
		next string
	}{
		"an open quote, start":       {`DBTASKS_DEV_COMMAND=echo "it`, start, `DBTASKS_DEV_COMMAND='echo "it"'`},
		"an open quote, recover":     {`DBTASKS_DEV_COMMAND=echo 'it`, recovers, `DBTASKS_DEV_COMMAND="echo 'it'"`},
		"an open quote, test":        {`DBTASKS_TEST_COMMAND=echo "it`, tests, `DBTASKS_TEST_COMMAND='echo "it"'`},
		"an open bracket, restart":   {`DBTASKS_RESTART_COMMAND=( touch ran`, recovers, `DBTASKS_RESTART_COMMAND="( touch ran)"`},
		"an open quote, raise":       {`DBTASKS_RESTART_COMMAND=touch "ran`, raise, `DBTASKS_RESTART_COMMAND='touch "ran"'`},
		"a script that is not there": {`DBTASKS_DEV_COMMAND=npm run dve`, start, `DBTASKS_DEV_COMMAND="npm run dev"`},
		"another manager's":          {`DBTASKS_TEST_COMMAND=pnpm run tset:run`, tests, `DBTASKS_TEST_COMMAND="pnpm run test:run"`},
		"an open quote in -command":  {``, command(`touch "ran`), `dev:start -command='touch "ran"'`},
		"a script of -command":       {``, command(`npm run dve`), `dev:start -command='npm run dev'`},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"package.json": `{"scripts":{"dev":"touch ran","test:run":"touch ran"}}`, ".env": "A=1\n" + c.line + "\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := runbook.OpenWith(dir, runbook.OpenOptions{Environ: []string{"PATH=" + os.Getenv("PATH"), "DATABASE_URL=" + db.URL("connection_limit=2")}, Program: "dbtasks"})
			if err != nil {
				t.Fatal(err)
			}
			f := runbook.AsFailure(c.call(d))
			d.Close()
			if f == nil || f.Exit != runbook.ExitSettings || !strings.Contains(f.Next, c.next) {
				t.Fatalf("%+v, want %s", f, c.next)
			}
			if variable, _, set := strings.Cut(c.line, "="); set && (!strings.Contains(f.Message, variable) || !strings.Contains(f.Message, filepath.Join(dir, ".env")+", line 2")) {
				t.Errorf("%s names neither the setting nor its place", f.Message)
			}
			if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
				t.Error("a command ran")
			}
		})
	}
	for _, l := range leak {
		if err := l.Ping(ctx); err != nil {
			t.Errorf("a session was ended: %v", err)
		}
	}
}
