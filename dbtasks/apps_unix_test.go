//go:build unix

package dbtasks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// app is a real project, installed from npm.
type app struct {
	t    *testing.T
	root string
	port int
	env  []string
}

// sample is an app of testdata, with a client that hot reload makes anew.
type sample struct {
	from    []string // folders of testdata, later ones over earlier ones
	install string   // npm's verb
	ignore  string   // .gitignore
	prepare [][]string
	faults  []string // all that dev:check finds wrong with it
}

// install makes the app in a folder of its own.
func (from sample) make(t *testing.T, url string) *app {
	t.Helper()
	a := &app{t: t, root: filepath.Join(t.TempDir(), "shop"), port: pgtest.FreePort(t)}
	for _, dir := range from.from {
		if err := os.CopyFS(a.root, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	a.write(".env", fmt.Sprintf("DATABASE_URL=%q\nDBTASKS_PORTS=%d\n", url, a.port))
	a.write(".gitignore", "node_modules\n"+from.ignore)
	// prisma generate wants to download an engine that it does not use.
	a.env = []string{"PRISMA_SCHEMA_ENGINE_BINARY=" + self(t), "DBTASKS_SOURCE=" + repository(t), "npm_config_update_notifier=false", "NEXT_TELEMETRY_DISABLED=1"}
	for _, c := range append([][]string{{"npm", from.install, "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"}}, from.prepare...) {
		if out, err := a.command(c...).CombinedOutput(); err != nil {
			why := fmt.Sprintf("the app can't be installed from npm: %v: %v: %s", c, err, out)
			if os.Getenv("CI") != "" {
				t.Fatal(why)
			}
			t.Skip(why)
		}
	}
	return a
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func (a *app) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.root, name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *app) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = a.root
	cmd.Env = append(withoutSettings(os.Environ()), a.env...)
	return cmd
}

// run runs a target of the compiled runbook to its end.
func (a *app) run(args ...string) outcome {
	a.t.Helper()
	cmd := a.command(append([]string{binary(a.t)}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return outcome{exitCode(cmd.Run()), stdout.String(), stderr.String()}
}

// check is what dev:check finds wrong.
func (a *app) check() (o outcome, found []string) {
	a.t.Helper()
	o = a.run("dev:check", "-json")
	var r struct {
		Items []struct {
			Findings []struct {
				Verdict, File, Problem string
				Line                   int
			}
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		a.t.Fatalf("%v: %s", err, o)
	}
	for _, item := range r.Items {
		for _, f := range item.Findings {
			if f.Verdict == "wrong" {
				found = append(found, fmt.Sprintf("%s:%d: %s", f.File, f.Line, strings.ReplaceAll(f.Problem, strconv.Itoa(a.port), "3000")))
			}
		}
	}
	return o, found
}

func (a *app) verdict() (verdict string, growth float64, o outcome) {
	a.t.Helper()
	o = a.run("dev:verify", "-reloads=4", "-json")
	var r struct {
		Verdict string  `json:"verdict"`
		Growth  float64 `json:"growth"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		a.t.Fatalf("%v: %s", err, o)
	}
	readme, err := os.ReadFile("docs/targets.md")
	if err != nil {
		a.t.Fatal(err)
	}
	section := string(readme[bytes.Index(readme, []byte("## dev:verify")):])
	for field := range decode(a.t, o.stdout) {
		if !strings.Contains(section, "`"+field+"`") {
			a.t.Errorf("docs/targets.md does not name dev:verify's field %s", field)
		}
	}
	return r.Verdict, r.Growth, o
}

func (a *app) answers() bool {
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://localhost:" + strconv.Itoa(a.port) + "/")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// The road of somebody who has a leak: name it, prove it, install the
// solution, prove that it is gone, and work on.
func TestRealAppsAreCheckedProvenMendedAndRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs from npm")
	}
	for name, from := range map[string]sample{
		"SvelteKit with Prisma 7": { // as the official scaffold makes it
			from:    []string{"testdata/sveltekit-prisma7"},
			install: "ci",
			ignore:  ".svelte-kit\nsrc/generated\n",
			prepare: [][]string{{"npx", "--no-install", "svelte-kit", "sync"}, {"npx", "--no-install", "prisma", "generate"}},
			faults: []string{
				"src/lib/server/prisma.ts:6: new PrismaClient() is not kept on globalThis: each reload makes another",
				"src/lib/server/prisma.ts:5: new PrismaClient() has an adapter without max: it takes 10 connections, and none of the URL's connection_limit",
				"vite.config.ts:5: the dev server's port is Vite's own, 5173, not 3000: there is no server.port",
				"vite.config.ts:5: Vite may optimise Prisma's client: optimizeDeps.exclude does not name @prisma/client",
				"vite.config.ts:5: Vite may bundle Prisma's client into the server's code: ssr.external does not name @prisma/client",
				"vite.config.ts:5: Vite watches src/generated/prisma: server.watch.ignored does not name it",
				"package.json:6: no script runs the runbook's db:cleanup, db:monitor, db:test, dev:recover",
			},
		},
		"Next.js with node-postgres": {
			from:    []string{"testdata/nextjs-pg"},
			install: "install", // "ci" wants other platforms' compilers, too, which are not to be had everywhere
			ignore:  ".next\n",
			faults: []string{
				"lib/db.js:3: new Pool() is not kept on globalThis: each reload makes another",
				"lib/db.js:3: new Pool() has no max: node-postgres takes 10 connections by default, whatever the URL says",
				"lib/db.js:3: new Pool() has no error listener",
				"package.json:4: no script runs the runbook's db:cleanup, db:monitor, db:test, dev:recover",
			},
		},
		"Vite with node-postgres": {
			from:    []string{"runbook/testdata/vite-pg", "testdata/vite-pg"},
			install: "ci",
			faults: []string{
				"src/db.js:4: new Pool() is not kept on globalThis: each reload makes another",
				"vite.config.js:23: the dev server's port is Vite's own, 5173, not 3000: there is no server.port",
				"package.json:5: no script runs the runbook's db:cleanup, db:monitor, db:test, dev:recover",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
			db := s.NewDatabase()
			conn := pgtest.Connect(t, db.URL(""))
			if _, err := conn.Exec(t.Context(), `CREATE TABLE "Order" (id serial PRIMARY KEY)`); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close(t.Context())
			a := from.make(t, db.URL("connection_limit=5"))
			a.isMended(s, db, from.faults)
			a.isRunAndStopped(s, db)
		})
	}
}

func (a *app) isMended(s *pgtest.Server, db pgtest.Database, faults []string) {
	t := a.t
	t.Helper()
	if o, found := a.check(); o.code != 1 || !slices.Equal(found, faults) {
		t.Errorf("dev:check of the leaking app finds %q: %s", found, o)
	}
	if verdict, growth, o := a.verdict(); o.code != 1 || verdict == "does_not_leak" || growth < 1 {
		t.Errorf("dev:verify of the leaking app: %s", o)
	}
	pgtest.Eventually(t, 10*time.Second, "the dev server of the proof is gone", func() bool { return s.Sessions(db.Name) == 0 })
	init := a.run("dev:init")
	patch := a.command("patch", "-p1")
	patch.Stdin = strings.NewReader(init.stdout)
	if out, err := patch.CombinedOutput(); init.code != 0 || err != nil {
		t.Fatalf("dev:init and its patch: %s\n%s\n%v", init, out, err)
	}
	if o, found := a.check(); o.code != 0 || len(found) != 0 {
		t.Errorf("dev:check after dev:init: %s", o)
	}
	if verdict, growth, o := a.verdict(); o.code != 0 || verdict != "does_not_leak" || growth >= 0.5 {
		t.Errorf("dev:verify after dev:init: %s", o)
	}
	if o := a.run("dev:init"); o.code != 0 || strings.Contains(o.stdout, "create") || strings.Contains(o.stdout, "merge") {
		t.Errorf("a second dev:init: %s", o)
	}
}

func (a *app) isRunAndStopped(s *pgtest.Server, db pgtest.Database) {
	t := a.t
	t.Helper()
	gone := func() bool { return !a.answers() && s.Sessions(db.Name) == 0 }

	keys, start := a.onATerminal(binary(t), "dev:start")
	pgtest.Eventually(t, 60*time.Second, "the app answers", a.answers)
	if _, err := keys.Write([]byte{3}); err != nil { // Ctrl+C
		t.Fatal(err)
	}
	if code := exitCode(start.Wait()); code != 0 { // that is how a dev server is ended
		t.Errorf("dev:start, ended by Ctrl+C, exits %d", code)
	}
	pgtest.Eventually(t, 10*time.Second, "the dev server is gone with its sessions", gone)

	npm := a.npmRunDev()
	if o := a.run("dev:stop"); o.code != 0 || a.answers() {
		t.Errorf("dev:stop: %s", o)
	}
	_ = npm.Wait() // npm, which nobody else ended, is gone too
	pgtest.Eventually(t, 10*time.Second, "npm's server is gone with its sessions", gone)

	npm = a.npmRunDev()
	if err := npm.Process.Kill(); err != nil { // npm alone: its server is an orphan now
		t.Fatal(err)
	}
	_ = npm.Wait()
	if !a.answers() {
		t.Fatal("the dev server ended with npm: there is no orphan")
	}
	if o := a.run("dev:recover", "-start=false"); o.code != 0 || a.answers() {
		t.Errorf("dev:recover with an orphan: %s", o)
	}
}

// onATerminal starts a command in a terminal of its own.
func (a *app) onATerminal(args ...string) (keys *os.File, cmd *exec.Cmd) {
	a.t.Helper()
	cmd = a.command(args...)
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	keys, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	go func() { _, _ = io.Copy(io.Discard, keys) }() // a full terminal would hold it up
	return keys, cmd
}

// npmRunDev starts the dev server as most people do, and waits until it answers.
func (a *app) npmRunDev() *exec.Cmd {
	a.t.Helper()
	npm := a.command("npm", "run", "dev")
	npm.Env = append(npm.Env, "PORT="+strconv.Itoa(a.port)) // Next.js listens there; Vite's configuration says it
	npm.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := npm.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = syscall.Kill(-npm.Process.Pid, syscall.SIGKILL) })
	pgtest.Eventually(a.t, 60*time.Second, "npm's server answers", a.answers)
	return npm
}
