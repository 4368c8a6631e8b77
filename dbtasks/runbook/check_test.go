package runbook

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// poolProject is a project with one pool of node-postgres of so many connections.
func poolProject(t *testing.T, url, limit string) *Runbook {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"package.json": `{ "dependencies": { "pg": "^8.0.0" } }`,
		"db.ts":        "import { Pool } from 'pg';\nglobalThis.pool ??= new Pool({ max: " + limit + " });\nexport const pool = globalThis.pool;\n",
		".env":         "DATABASE_URL=" + url + "\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := settings.Load(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	deps := &Runbook{cfg: cfg}
	t.Cleanup(func() {
		if deps.pool != nil {
			deps.pool.Close()
		}
	})
	return deps
}

func TestCheckComparesTheSumOfLimitsWithTheServersSlots(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	for limit, want := range map[string]checklist.Verdict{"5": checklist.OK, "4000": checklist.Wrong} {
		r, err := poolProject(t, db.URL("connection_limit=5"), limit).Check(t.Context(), CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Items[5]; got.Verdict != want {
			t.Errorf("limit %s: %+v, want %s", limit, got, want)
		}
	}
}

func TestCheckNeedsNoServerAndSaysWhatItCanNotTell(t *testing.T) {
	t.Parallel()
	port := pgtest.FreePort(t)
	r, err := poolProject(t, "postgresql://app:hunter2@localhost:"+strconv.Itoa(port)+"/shop?connection_limit=5", "5").Check(t.Context(), CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	item := r.Items[5]
	if item.Verdict != checklist.CantTell || len(item.Findings) != 1 || !strings.Contains(item.Findings[0].Problem, "connection refused") {
		t.Errorf("%+v", item)
	}
	if r.Items[1].Verdict != checklist.OK {
		t.Errorf("the rest needs no server: %+v", r.Items[1])
	}
}
