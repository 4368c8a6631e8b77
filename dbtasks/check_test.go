package dbtasks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// poolProject is a folder with one module that makes a pool.
func poolProject(t *testing.T, code, dotenv string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"package.json": `{"dependencies":{"next":"16.0.0","pg":"8.16.0"}}`, "db.ts": code, ".env": dotenv} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDevCheckSaysInItsFirstLineWhatIsWrongAndExitsOne(t *testing.T) {
	t.Parallel()
	const leaking = "import { Pool } from 'pg';\nexport const pool = new Pool();\n"
	for name, c := range map[string]struct{ dotenv, first, also string }{
		"without settings":     {"", "4 of 8 wrong: hot reload and limit, errors and process end, limits and server, npm scripts.", "DATABASE_URL is not set"},
		"with broken settings": {"DATABASE_URL='postgresql://app:hunter2@localhost/shop\n", "4 of 8 wrong: hot reload and limit, errors and process end, limits and server, npm scripts.", ".env:1: DATABASE_URL begins with a quote that is not closed"},
		"with a wrong limit":   {"DATABASE_URL=postgresql://app:hunter2@localhost/shop?connection_limit=0\n", "4 of 8 wrong: hot reload and limit, errors and process end, limits and server, npm scripts.", "shop?connection_limit=5\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := runIn(t, poolProject(t, leaking, c.dotenv), nil, "dev:check")
			if first, _, _ := strings.Cut(o.stdout, "\n"); o.code != 1 || !strings.HasPrefix(first, c.first) || !strings.Contains(o.stdout, c.also) {
				t.Errorf("want exit 1, %q and %q, got %s", c.first, c.also, o)
			}
			if !strings.Contains(o.stdout, "db.ts:2: new Pool() has no max") {
				t.Errorf("the place is not named: %s", o)
			}
			if strings.Contains(o.stdout+o.stderr, "hunter2") {
				t.Errorf("the password is shown: %s", o)
			}
		})
	}
}

func TestDevCheckOfAProjectWithoutAClientIsNotGreen(t *testing.T) {
	t.Parallel()
	o := runIn(t, poolProject(t, "export const pool = 'new Pool()';\n", ""), nil, "dev:check")
	if first, _, _ := strings.Cut(o.stdout, "\n"); o.code != 1 || first != "Can't tell: no client of PostgreSQL was found in 1 file." {
		t.Errorf("%s", o)
	}
	o = runIn(t, poolProject(t, "export const pool = 'new Pool()';\n", ""), nil, "dev:check", "-json")
	if got := decode(t, o.stdout); got["ok"] != false || got["cant_tell"] != 7.0 || got["wrong"] != 0.0 {
		t.Errorf("%v", got)
	}
}
