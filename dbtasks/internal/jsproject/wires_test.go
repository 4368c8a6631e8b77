package jsproject

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/npmtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// tried is what a real driver made of a URL.
type tried struct {
	Connections int    // of 12 queries at once
	Error, Code string // why it did not log in
}

// forms are the ways of writing a limit of 3.
var forms = map[Form]string{ConnectionLimit: "connection_limit=3", PoolMaxConns: "pool_max_conns=3", Options: "options=-c%20dbtasks.pool_limit%3D3"}

// realDriver is a way of running one, and the row of the table that it is.
type realDriver struct {
	name, wire string
	unlimited  int // connections of 12 queries at once without a limit; 0: it differs
}

var npmDrivers = []realDriver{
	{"pg", NodePostgres, 10}, {"postgres", PostgresJS, 10}, {"@prisma/adapter-pg", NodePostgres, 10}, {"drizzle-orm over pg", NodePostgres, 10},
	{"drizzle-orm over postgres", PostgresJS, 10}, {"kysely", NodePostgres, 10}, {"knex", NodePostgres, 10}, {"typeorm", NodePostgres, 10},
	{"sequelize", NodePostgres, 5}, {"@mikro-orm/postgresql", NodePostgres, 10}, {"pg-promise", NodePostgres, 10},
	{"@neondatabase/serverless", Neon, 10}, {"@vercel/postgres", Neon, 10}, {"Bun SQL", BunSQL, 0},
}

var goModules = []realDriver{
	{"pgxpool", PGXPool, 4}, {"pgx", PGX, 1}, {"database/sql with pgx", PGXStdlib, 12}, {"database/sql with lib/pq", LibPQ, 12},
	{"GORM", PGXStdlib, 12}, {"bun's pgdriver", PGDriver, 12}, {"go-pg", GoPG, 12},
}

// Every row of the table of forms is tried with the real driver: what refuses
// does not log in, what honours has 3 connections, what ignores has its default.
func TestTheTableOfFormsIsWhatTheRealDriversDo(t *testing.T) {
	if testing.Short() {
		t.Skip("installs from npm and the Go proxy")
	}
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 100})
	db := s.NewDatabase()
	t.Run("npm", func(t *testing.T) {
		t.Parallel()
		dir := npmtest.Install(t, "testdata/npmdrivers")
		compare(t, db, npmDrivers, func(ctx context.Context, driver, url string) *exec.Cmd {
			program := "node"
			if driver == "Bun SQL" {
				program = bun(t, dir)
			}
			cmd := exec.CommandContext(ctx, program, "try.mjs", driver, url)
			cmd.Dir = dir
			return cmd
		})
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		program := filepath.Join(t.TempDir(), "godrivers")
		build := exec.Command("go", "build", "-o", program, ".")
		build.Dir = "testdata/godrivers"
		if out, err := build.CombinedOutput(); err != nil {
			npmtest.Unavailable(t, fmt.Sprintf("the drivers of Go can't be built: %v: %s", err, out))
		}
		compare(t, db, goModules, func(ctx context.Context, driver, url string) *exec.Cmd {
			return exec.CommandContext(ctx, program, driver, url)
		})
	})
}

// bun is the program of the package of that name: its own script, which would
// put it at its place, is not run.
func bun(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "node_modules", "@oven", "bun-*", "bin", "bun"))
	if err != nil || len(found) == 0 {
		npmtest.Unavailable(t, "npm has no Bun for this machine")
	}
	return found[0]
}

func compare(t *testing.T, db pgtest.Database, list []realDriver, run func(ctx context.Context, driver, url string) *exec.Cmd) {
	t.Helper()
	for _, d := range list {
		for form, parameter := range forms {
			got := try(t, run, d.name, db.URL("sslmode=disable", parameter))
			take := Driver{Wire: d.wire}.Takes(form)
			said := fmt.Sprintf("%s with %s: %d connections, %s (%s)", d.name, parameter, got.Connections, got.Error, got.Code)
			switch {
			case (take == Refuses) != (got.Error != ""):
				t.Errorf("%s; the table says %d (0 ignores, 1 honours, 2 refuses)", said, take)
			case take == Honours && got.Connections != 3:
				t.Errorf("%s, want 3", said)
			case take == Ignores && d.wire != PGXPool && d.unlimited > 0 && got.Connections != d.unlimited:
				t.Errorf("%s, want its default %d", said, d.unlimited)
			}
			t.Log(said)
		}
	}
}

func try(t *testing.T, run func(ctx context.Context, driver, url string) *exec.Cmd, driver, url string) tried {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := run(ctx, driver, url)
	cmd.Env = append(os.Environ(), "PGSSLMODE=disable", "NODE_NO_WARNINGS=1")
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	var r tried
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &r) != nil {
		t.Fatalf("%s: %v: %s %s", driver, err, out, errors.String())
	}
	return r
}

// Through PgBouncer the written limit needs its setting: PgBouncer passes
// options on to nobody and refuses what it does not know.
func TestThroughPgBouncerTheWrittenLimitNeedsItsSetting(t *testing.T) {
	if testing.Short() {
		t.Skip("installs from npm")
	}
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	db := s.NewDatabase()
	dir := npmtest.Install(t, "testdata/npmdrivers")
	run := func(ctx context.Context, driver, url string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "node", "try.mjs", driver, url)
		cmd.Dir = dir
		return cmd
	}
	for ignored, refused := range map[string]bool{"extra_float_digits": true, "extra_float_digits,options": false} {
		b := pgtest.StartBouncer(t, pgtest.BouncerOptions{Settings: map[string]string{"ignore_startup_parameters": ignored}}, db)
		for _, driver := range []string{"postgres", "pg"} {
			got := try(t, run, driver, b.URL(db, forms[Options]))
			if (got.Error != "") != refused || refused && !strings.Contains(got.Error, "unsupported startup parameter") {
				t.Errorf("%s, ignore_startup_parameters %q: %+v", driver, ignored, got)
			}
		}
	}
}
