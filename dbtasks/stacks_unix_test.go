//go:build unix

package dbtasks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/npmtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// stacksInCI are the rows that every run takes: a port of the framework's own
// (Astro, React Router), modules that are evaluated again in three ways, and a
// server that is started anew. DBTASKS_STACKS=all takes all of them, and
// DBTASKS_STACKS=nuxt,nest these.
var stacksInCI = []string{"astro", "express", "react-router", "vite8/kysely"}

// stack is a small project on a framework, from a file of testdata/stacks.
type stack struct {
	name   string
	client string // the module that makes the client and has ask()
	driver string // of testdata/stacks/drivers; "": the client is among the files
	leaks  bool   // a client that nobody keeps is left behind: the modules are evaluated again in one process, or each request makes one
	node   string // major version that it wants; "": any
	files  []txtar.File
	needs  []string // packages of the driver: "pg@8.23.1"
	run    []string // what it wants to be run when it is installed
	module string   // the driver's part of the client module
}

// readStack reads a stack, with another driver than its own where one is named.
func readStack(t *testing.T, name string) stack {
	t.Helper()
	s := stack{name: name}
	file, driver, _ := strings.Cut(name, "/")
	a, err := txtar.ParseFile(filepath.Join("testdata/stacks", file+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "client":
			s.client = value
		case "driver":
			s.driver = value
		case "reload":
			s.leaks = s.leaks || value == "in process"
		case "leaks":
			s.leaks = value == "yes"
		case "node":
			s.node = value
		}
	}
	s.files, s.driver = a.Files, cmp.Or(driver, s.driver)
	if s.driver == "" {
		return s
	}
	d, err := txtar.ParseFile(filepath.Join("testdata/stacks/drivers", s.driver+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	needs, run, _ := strings.Cut(string(d.Comment), "run: ")
	s.needs, s.run, s.module = strings.Fields(needs), strings.Fields(run), string(d.Files[0].Data)
	s.files = append(s.files, d.Files[1:]...)
	return s
}

// allStacks are all rows: each stack with its own driver, and every driver on
// one of them.
func allStacks(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/stacks/*.txt")
	drivers, driverErr := filepath.Glob("testdata/stacks/drivers/*.txt")
	if err != nil || driverErr != nil || len(files) < 12 {
		t.Fatalf("%d stacks: %v, %v", len(files), err, driverErr)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".txt"))
	}
	for _, f := range drivers {
		names = append(names, "vite8/"+strings.TrimSuffix(filepath.Base(f), ".txt"))
	}
	return names
}

// make installs the stack in a folder of its own.
func (s stack) make(t *testing.T, url string) *app {
	t.Helper()
	a := &app{t: t, root: filepath.Join(t.TempDir(), "shop"), port: pgtest.FreePort(t)}
	for _, f := range s.files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(a.root, f.Name)), 0o700); err != nil {
			t.Fatal(err)
		}
		text := string(f.Data)
		if f.Name == "package.json" {
			text = withPackages(t, f.Data, s.needs)
		}
		a.write(f.Name, text)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(a.root, s.client)), 0o700); err != nil {
		t.Fatal(err)
	}
	a.write(".env", fmt.Sprintf("DATABASE_URL=%q\nDBTASKS_PORTS=%d\n", url, a.port))
	a.write(".gitignore", "node_modules\n.env\nsrc/generated\n")
	// Not every framework fills process.env from .env.
	// prisma generate wants to download engines that it does not use.
	a.env = []string{"DATABASE_URL=" + url, "PRISMA_SCHEMA_ENGINE_BINARY=" + self(t), "PRISMA_QUERY_ENGINE_LIBRARY=" + self(t), "npm_config_update_notifier=false", "NEXT_TELEMETRY_DISABLED=1", "ASTRO_TELEMETRY_DISABLED=1", "NUXT_TELEMETRY_DISABLED=1"}
	if s.node != "" {
		a.env = append(a.env, "PATH="+npmtest.Node(t, s.node)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	for _, c := range [][]string{{"npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error", "--legacy-peer-deps"}, s.run} {
		if len(c) == 0 {
			continue
		}
		if out, err := a.command(c...).CombinedOutput(); err != nil {
			npmtest.Unavailable(t, fmt.Sprintf("%s can't be installed from npm: %v: %v: %s", s.name, c, err, out))
		}
	}
	return a
}

// withPackages adds packages to those that a package.json asks for.
func withPackages(t *testing.T, text []byte, needs []string) string {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	list, ok := p["dependencies"].(map[string]any)
	if !ok {
		list = map[string]any{}
		p["dependencies"] = list
	}
	for _, need := range needs {
		at := strings.LastIndexByte(need, '@')
		list[need[:at]] = need[at+1:]
	}
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// useClient writes the client module: one that nobody keeps, or one that is
// kept on the global object.
func (a *app) useClient(s stack, kept bool) {
	a.t.Helper()
	if s.driver == "" {
		return
	}
	db := "export const db = make();"
	if kept {
		db = "export const db = (globalThis.db ??= make());"
	}
	a.write(s.client, "// @ts-nocheck\n"+s.module+db+"\n")
}

// readLeaks is what dev:check says of the app's clients.
func (a *app) readLeaks() (leaks bool, o outcome) {
	a.t.Helper()
	o = a.run("dev:check", "-json")
	var r struct {
		Clients []struct {
			Role  string
			Leaks *bool
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		a.t.Fatalf("%v: %s", err, o)
	}
	told := 0
	for _, c := range r.Clients {
		if c.Role != "app" {
			continue
		}
		if c.Leaks == nil {
			a.t.Errorf("dev:check can't tell: %s", o)
			continue
		}
		told++
		leaks = leaks || *c.Leaks
	}
	if told == 0 {
		a.t.Errorf("dev:check found no client: %s", o)
	}
	return leaks, o
}

// agree asserts that dev:check and dev:verify say the same, and what is right.
func (a *app) agree(what string, leaks bool) {
	a.t.Helper()
	read, o := a.readLeaks()
	if read != leaks {
		a.t.Errorf("dev:check of %s: leaks %v, want %v: %s", what, read, leaks, o)
	}
	verdict, growth, o := a.verdict()
	if proven := verdict != "does_not_leak"; proven != leaks || (o.code == 0) == leaks {
		a.t.Errorf("dev:verify of %s: %q, grows %.1f, want leaks %v: %s", what, verdict, growth, leaks, o)
	}
}

// On every stack, with every driver, what is read and what is proven is the
// same; the dev server is started, and is gone when it is stopped.
func TestOnEveryStackTheCheckAndTheProofAgree(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs from npm")
	}
	names := stacksInCI
	switch asked := os.Getenv("DBTASKS_STACKS"); asked {
	case "":
	case "all":
		names = allStacks(t)
	default:
		names = strings.Split(asked, ",")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := readStack(t, name)
			s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
			db := s.NewDatabase()
			a := row.make(t, db.URL("options=-c%20dbtasks.pool_limit%3D3"))
			a.useClient(row, false)
			a.agree("a client that nobody keeps", row.leaks)
			if row.driver != "" { // else the files are as they are
				a.useClient(row, true)
				a.agree("a client that is kept", false)
			}
			_, start := a.onATerminal(binary(t), "dev:start")
			pgtest.Eventually(t, 90*time.Second, "the app answers", a.answers)
			if o := a.run("dev:stop"); o.code != 0 || a.answers() {
				t.Errorf("dev:stop: %s", o)
			}
			_ = start.Wait()
			pgtest.Eventually(t, 10*time.Second, "the dev server is gone with its sessions", func() bool { return s.Sessions(db.Name) == 0 })
		})
	}
}
