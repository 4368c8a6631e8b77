//go:build unix

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// repository is the root of this module.
func repository(b testing.TB) string {
	b.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		b.Fatal(err)
	}
	return root
}

// runbook is the compiled runbook, as "go tool mage build" makes it.
var runbook = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dbtasks-bench-")
	if err != nil {
		return "", err
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "tool", "mage", "-compile", filepath.Join(dir, "dbtasks"))
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "dbtasks"), nil
})

func binary(b testing.TB) string {
	b.Helper()
	path, err := runbook()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// psql is the program itself and not Debian's wrapper around it, which takes
// 50 ms more: the harder one to beat.
func psql(b testing.TB) string {
	b.Helper()
	path := filepath.Join(pgtest.Binaries(b).Dir, "psql")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return installed(b, "psql")
}

// installed looks for a program; the benchmark is left out without it.
func installed(b testing.TB, name string) string {
	b.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		b.Skipf("%s is not installed", name)
	}
	return path
}

// place is a project's folder and a server of its own.
type place struct {
	*pgtest.Server
	db      pgtest.Database
	project string
	port    int    // of the project's dev server
	url     string // without our parameters, for psql
	admin   *pgx.Conn
}

func newPlace(b *testing.B, slots int) *place {
	b.Helper()
	s := pgtest.Start(b, pgserver.DisposableOptions{MaxConnections: slots})
	p := &place{Server: s, db: s.NewDatabase(), project: b.TempDir(), port: pgtest.FreePort(b)}
	p.url = p.db.URL("")
	p.write(b, ".env", fmt.Sprintf("DATABASE_URL=%q\nDBTASKS_PORTS=%d\n", p.db.URL("connection_limit=5"), p.port))
	p.write(b, "package.json", `{"name":"shop","private":true,"scripts":{"dev":"sh dev.sh"}}`)
	return p
}

func (p *place) write(b *testing.B, name, text string) {
	b.Helper()
	path := filepath.Join(p.project, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// ours is a target of the compiled runbook in the project's folder.
func (p *place) ours(b *testing.B, args ...string) side {
	b.Helper()
	return command{args: append([]string{binary(b)}, args...), dir: p.project}.side(strings.Join(args, " "))
}

// shell is a line of sh in the project's folder, with $PSQL, $URL, $APP_PORT (the
// dev server's) and $DB_PORT (the database's).
func (p *place) shell(b *testing.B, name, line string) side {
	b.Helper()
	return command{args: []string{"sh", "-c", line}, dir: p.project, env: p.shellEnv(b)}.side(name)
}

func (p *place) shellEnv(b *testing.B) []string {
	return []string{"PSQL=" + psql(b), "URL=" + p.url, "APP_PORT=" + strconv.Itoa(p.port), "DB_PORT=" + strconv.Itoa(p.Port)}
}

// idle gives a before and an after: n idle sessions of a process of their own,
// and the proof that none is left.
func (p *place) idle(b *testing.B, n int) (before, after func(*testing.B)) {
	var leak *pgtest.Leak
	before = func(b *testing.B) {
		leak = pgtest.StartLeak(b, pgtest.LeakOptions{URL: p.url, Sessions: n})
		if held := p.left(b); held != n {
			b.Fatalf("%d sessions, not %d", held, n)
		}
	}
	after = func(b *testing.B) {
		if left := p.left(b); left != 0 {
			b.Fatalf("%d sessions are left", left)
		}
		leak.Stop()
	}
	return before, after
}

// left counts the database's client sessions, over a session that stays open;
// a tool's own may take a moment longer than the tool.
func (p *place) left(b *testing.B) int {
	b.Helper()
	if p.admin == nil {
		p.admin = p.Admin("postgres")
	}
	return pgtest.Count(b, p.admin, "a.datname = $1 AND a.application_name NOT IN ('psql', 'dbtasks')", p.db.Name)
}

// ended is the server's own time: from the statement that ends every idle
// session of the database, over a session that is open, until none is left.
func (p *place) ended(b *testing.B) float64 {
	b.Helper()
	if p.admin == nil {
		p.admin = p.Admin("postgres")
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	for {
		var n int
		if err := p.admin.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", p.db.Name).Scan(&n); err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return time.Since(began).Seconds()
		}
	}
}
