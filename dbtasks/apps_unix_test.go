//go:build unix

package dbtasks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgserver"
)

// app is a real project, installed from npm.
type app struct {
	t    *testing.T
	root string
	port int
	env  []string
}

// svelteKit is SvelteKit with Prisma 7 as its official scaffold makes it
// (testdata/sveltekit-prisma7), with a client that hot reload makes anew.
func svelteKit(t *testing.T, url string) *app {
	t.Helper()
	a := &app{t: t, root: filepath.Join(t.TempDir(), "shop"), port: pgtest.FreePort(t)}
	if err := os.CopyFS(a.root, os.DirFS("testdata/sveltekit-prisma7")); err != nil {
		t.Fatal(err)
	}
	a.write(".env", fmt.Sprintf("DATABASE_URL=%q\nDBTASKS_PORTS=%d\n", url, a.port))
	a.write(".gitignore", "node_modules\n.svelte-kit\nsrc/generated\n")
	// prisma generate wants to download an engine that it does not use.
	a.env = []string{"PRISMA_SCHEMA_ENGINE_BINARY=" + self(t), "DBTASKS_SOURCE=" + repository(t), "npm_config_update_notifier=false"}
	for _, c := range [][]string{{"npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"}, {"npx", "--no-install", "svelte-kit", "sync"}, {"npx", "--no-install", "prisma", "generate"}} {
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
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		a.t.Fatal(err)
	}
	section := string(readme[bytes.Index(readme, []byte("### dev:verify")):])
	for field := range decode(a.t, o.stdout) {
		if !strings.Contains(section, "`"+field+"`") {
			a.t.Errorf("the README does not name dev:verify's field %s", field)
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
func TestARealSvelteKitAppWithPrisma7IsCheckedProvenMendedAndRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs from npm")
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	db := s.NewDatabase()
	conn := pgtest.Connect(t, db.URL(""))
	if _, err := conn.Exec(t.Context(), `CREATE TABLE "Order" (id serial PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	a := svelteKit(t, db.URL("connection_limit=5"))

	if o := a.run("dev:check"); o.code != 1 || !strings.Contains(o.stdout, "not kept on globalThis") || !strings.Contains(o.stdout, "adapter without max") {
		t.Errorf("dev:check of the leaking app: %s", o)
	}
	if verdict, growth, o := a.verdict(); o.code != 1 || verdict == "does_not_leak" || growth < 1 {
		t.Errorf("dev:verify of the leaking app: %s", o)
	}
	pgtest.Eventually(t, 10*time.Second, "the dev server of the proof is gone", func() bool { return s.Sessions(db.Name) == 0 })
	init := a.run("dev:init")
	patch := a.command("patch", "-p1")
	patch.Stdin = strings.NewReader(init.stdout)
	if out, err := patch.CombinedOutput(); init.code != 0 || err != nil {
		t.Fatalf("dev:init and its patch: %s\n%s", init, out)
	}
	if o := a.run("dev:check"); o.code != 0 {
		t.Errorf("dev:check after dev:init: %s", o)
	}
	if verdict, growth, o := a.verdict(); o.code != 0 || verdict != "does_not_leak" || growth >= 0.5 {
		t.Errorf("dev:verify after dev:init: %s", o)
	}
	if o := a.run("dev:init"); o.code != 0 || strings.Contains(o.stdout, "create") || strings.Contains(o.stdout, "merge") {
		t.Errorf("a second dev:init: %s", o)
	}

	start := a.command(binary(t), "dev:start")
	start.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	start.Stdout, start.Stderr = &said, &said
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-start.Process.Pid, syscall.SIGKILL) })
	pgtest.Eventually(t, 60*time.Second, "the app answers", a.answers)
	if err := start.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := start.Wait(); err == nil {
		t.Error("dev:start ended by TERM says that all is well")
	}
	pgtest.Eventually(t, 10*time.Second, "the dev server is gone with its sessions", func() bool { return !a.answers() && s.Sessions(db.Name) == 0 })

	npm := a.command("npm", "run", "dev")
	npm.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := npm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-npm.Process.Pid, syscall.SIGKILL) })
	pgtest.Eventually(t, 60*time.Second, "npm's server answers", a.answers)
	if err := npm.Process.Kill(); err != nil { // npm alone: Vite is an orphan now
		t.Fatal(err)
	}
	_ = npm.Wait()
	if !a.answers() {
		t.Fatal("Vite ended with npm: there is no orphan")
	}
	if o := a.run("dev:recover", "-start=false"); o.code != 0 || a.answers() {
		t.Errorf("dev:recover with an orphan: %s", o)
	}
}
