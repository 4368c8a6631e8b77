package runbook_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/scaffold"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// javascript is a Vite project with node-postgres.
func javascript(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "package.json", "{\n  \"devDependencies\": { \"vite\": \"8\" },\n  \"dependencies\": { \"pg\": \"8\" }\n}\n")
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInitDryMakesThePlanAndWritesNothing(t *testing.T) {
	t.Parallel()
	root := javascript(t)
	r, err := opened(t, root).Init(ctx, runbook.InitOptions{Dry: true})
	if err != nil || !r.OK || r.Plan.Writes() < 9 || r.Written != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
	if len(r.Next) != 1 || r.Next[0] != "mage dev:init" {
		t.Errorf("next %q", r.Next)
	}
}

func TestInitSaysWhatIsLeftToDoInOrderAndTheSecondRunHasNothingToWrite(t *testing.T) {
	t.Parallel()
	root := javascript(t)
	d := opened(t, root)
	first, err := d.Init(ctx, runbook.InitOptions{})
	if err != nil || !first.OK || first.Written != first.Plan.Writes() {
		t.Fatalf("%+v, %v", first, err)
	}
	if got := strings.Join(first.Next, "; "); got != "cp .env.example .env, and write your own DATABASE_URL into it; npm run db:test" {
		t.Errorf("next %q", got)
	}
	write(t, root, ".env", "DATABASE_URL=postgresql://app@localhost/shop\n")
	second, err := opened(t, root).Init(ctx, runbook.InitOptions{})
	if err != nil || second.Written != 1 {
		t.Errorf("the limit: %d, %v", second.Written, err)
	}
	third, err := opened(t, root).Init(ctx, runbook.InitOptions{})
	if err != nil || third.Written != 0 || third.Plan.Differs() != 0 || strings.Join(third.Next, "") != "npm run db:test" {
		t.Errorf("%+v, %v", third, err)
	}
}

func TestInitFailsWithTheExitCodesOfTheContract(t *testing.T) {
	t.Parallel()
	_, err := opened(t, t.TempDir()).Init(ctx, runbook.InitOptions{})
	failure(t, err, "project", runbook.ExitSettings)

	_, err = opened(t, javascript(t)).Init(ctx, runbook.InitOptions{Source: t.TempDir()})
	failure(t, err, "project", runbook.ExitSettings)

	linked := javascript(t)
	if err := os.Symlink(t.TempDir(), filepath.Join(linked, "scripts")); err == nil {
		_, err = opened(t, linked).Init(ctx, runbook.InitOptions{})
		failure(t, err, "outside_project", runbook.ExitRefused)
	}

	root := javascript(t)
	program := filepath.Join(t.TempDir(), "dbtasks") // a program that is not there
	source, err := scaffold.FindSource("", "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := opened(t, root).Init(ctx, runbook.InitOptions{Source: source, Executable: program})
	f := failure(t, err, "not_written", runbook.ExitNotDone)
	if r.OK || r.Written != r.Plan.Writes()-1 || !strings.Contains(f.Message, "bin/dbtasks") {
		t.Errorf("%d of %d: %s", r.Written, r.Plan.Writes(), f.Message)
	}
}
