package runbook_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// runners are the real ones, each with the dev script that runs it. MYPORT is
// where it listens: no dev port, and not PORT.
var runners = map[string]string{
	"node":         "node src/index.mjs",
	"node --watch": "node --watch src/index.mjs",
	"vite":         "vite --port $MYPORT --strictPort",
	"next":         "next dev -p $MYPORT",
	"tsx":          "tsx src/index.ts",
	"tsx watch":    "tsx watch src/index.ts",
	"nodemon":      "nodemon -q src/index.mjs",
	"nest":         "nest start --watch",
	"concurrently": `concurrently -k "node src/index.mjs" "tsc -w --noEmit -p ."`,
	"run-p":        "run-p api types",
	"bun --hot":    "bun --hot src/index.ts",
	"bun --watch":  "bun --watch src/index.ts",
	"deno":         "deno run -A --watch src/index.mjs",
	"vite-node":    "vite-node -w src/index.ts",
	"turbo":        "turbo run api",
	"nx":           "nx run shop:api",
}

// runnerPackages are where they come from.
var runnerPackages = []string{"vite@8", "next@16", "react@19", "react-dom@19", "tsx@4", "nodemon@3", "concurrently@9", "npm-run-all2@8", "@nestjs/cli@12", "typescript@6", "pm2@7",
	"@types/node@24", "vite-node@6", "turbo@2", "nx@24", "@oven/bun-linux-" + npmArchitecture(), "@deno/linux-" + npmArchitecture() + "-glibc"}

func npmArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x64"
}

// runnersFolder is a node_modules with all of them, installed once; the folder
// that DBTASKS_TEST_RUNNERS names where it is set.
var runnersFolder = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("DBTASKS_TEST_RUNNERS"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "runners-*")
	if err != nil {
		return "", err
	}
	afterTests = append(afterTests, func() { _ = os.RemoveAll(dir) })
	cmd := exec.Command("npm", append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"}, runnerPackages...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w: %s", err, out)
	}
	return filepath.Join(dir, "node_modules"), nil
})

// runnerProject is a project with one of the runners as its dev script, started
// by "npm run dev", and its port.
func runnerProject(t *testing.T, line string) (root string, npm *exec.Cmd, port int) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not here")
	}
	modules, err := runnersFolder()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	root, port = t.TempDir(), pgtest.FreePort(t)
	server := `import http from 'node:http'; http.createServer((q, r) => r.end('hi')).listen(Number(process.env.MYPORT), '127.0.0.1')` + "\n"
	for name, text := range map[string]string{
		"package.json":  fmt.Sprintf(`{"name":"shop","nx":{},"packageManager":"npm@10.9.0","scripts":{"dev":%q,"api":"node src/index.mjs","types":"tsc -w --noEmit -p ."}}`, line),
		"src/index.mjs": server, "src/index.ts": server, "src/main.ts": server, "index.html": "<p>hi</p>", "pages/index.js": "export default () => 'hi'\n",
		"turbo.json": `{"globalPassThroughEnv":["MYPORT"],"tasks":{"api":{"cache":false,"persistent":true}}}`, "nx.json": `{}`,
		"tsconfig.json": `{"compilerOptions":{"module":"nodenext","target":"es2022","outDir":"dist","rootDir":"src","skipLibCheck":true,"types":["node"],"jsx":"preserve"},"include":["src/main.ts"]}`, "nest-cli.json": `{"sourceRoot":"src"}`,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(root, "node_modules")); err != nil {
		t.Fatal(err)
	}
	npm = exec.Command("npm", "run", "dev")
	npm.Dir = root
	path := filepath.Join(modules, "@oven/bun-linux-"+npmArchitecture(), "bin") + ":" + filepath.Join(modules, "@deno/linux-"+npmArchitecture()+"-glibc")
	npm.Env = append(npmEnv(t), "MYPORT="+strconv.Itoa(port), "PATH="+path+":"+os.Getenv("PATH"), "NEXT_TELEMETRY_DISABLED=1", "DENO_NO_UPDATE_CHECK=1", "DENO_DIR="+t.TempDir(),
		"TURBO_TELEMETRY_DISABLED=1", "NX_DAEMON=false", "NX_TUI=false", "NX_NO_CLOUD=true")
	startRunner(t, npm, port)
	return root, npm, port
}

// startRunner returns when the runner's server listens and its tree is whole.
func startRunner(t *testing.T, runner *exec.Cmd, port int) {
	t.Helper()
	runner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	runner.Stdout, runner.Stderr = log, log
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-runner.Process.Pid, syscall.SIGKILL)
		_ = runner.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("it said: %s", text)
		}
	})
	count, since := 0, time.Now()
	pgtest.Eventually(t, time.Minute, "the runner's server listens, and its tree is whole", func() bool {
		table, err := hostops.Snapshot(ctx)
		if n := 0; err == nil {
			if n = len(table.Descendants(runner.Process.Pid)); n != count {
				count, since = n, time.Now()
			}
		}
		return listens(port) && time.Since(since) > 700*time.Millisecond
	})
}

func TestEveryRunnerIsStoppedWithItsWholeTreeAsItRunsAndOrphaned(t *testing.T) {
	t.Parallel()
	for name, line := range runners {
		for _, orphaned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s orphaned %v", name, orphaned), func(t *testing.T) {
				root, npm, port := runnerProject(t, line)
				// As after "kill -9" of a terminal: npm and the shell of the script are gone.
				stoppedWhole(t, root, npm, port, orphaned, func(p hostops.Process) bool { return p.Name == "sh" })
			})
		}
	}
}

// stoppedWhole wants dev:stop to end all that a runner started, the runner
// included. orphaned kills the runner before, and those of its children that go
// with it.
func stoppedWhole(t *testing.T, root string, runner *exec.Cmd, port int, orphaned bool, with func(hostops.Process) bool) {
	t.Helper()
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tree := table.Descendants(runner.Process.Pid)
	if orphaned {
		for _, p := range append(table.Children(runner.Process.Pid), hostops.Process{Identity: hostops.Identity{PID: runner.Process.Pid}}) {
			if p.PID == runner.Process.Pid || with(p) {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		_ = runner.Wait()
		if !listens(port) {
			t.Skip("it ended with who started it: there is no orphan")
		}
	}
	go func() { _ = runner.Wait() }() // who started a process has to notice that it ended
	d := opened(t, root, "DBTASKS_PORTS=1")
	r, err := d.Stop(ctx, runbook.StopOptions{})
	// An orphan may end by itself meanwhile: reflex's had its terminal from it.
	if err != nil || !r.OK || r.Gone == 0 && !orphaned || listens(port) {
		t.Errorf("%+v, %v, listens %v", r, err, listens(port))
	}
	for _, p := range tree {
		if !hostops.Gone(p.Identity) {
			t.Errorf("%s is left", p)
		}
	}
}

func TestWhatPM2WouldStartAgainIsNamedWithItsCommandAndLeftAlone(t *testing.T) {
	t.Parallel()
	modules, err := runnersFolder()
	if err != nil {
		t.Skip(err)
	}
	root, port := nodeProject(t), pgtest.FreePort(t)
	pm2 := func(args ...string) error {
		cmd := exec.Command("node", append([]string{filepath.Join(modules, "pm2/bin/pm2")}, args...)...)
		cmd.Dir = root
		cmd.Env = append(npmEnv(t), "PM2_HOME="+filepath.Join(root, ".pm2"), "PORT="+strconv.Itoa(port), "PM2_DISCRETE_MODE=true")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("pm2 %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	t.Cleanup(func() { _ = pm2("kill") })
	if err := pm2("start", "server.js", "--name", "the web"); err != nil {
		t.Skip(err)
	}
	pgtest.Eventually(t, 20*time.Second, "the app listens", func() bool { return listens(port) })
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := d.Stop(ctx, runbook.StopOptions{})
	if err != nil || r.OK || len(r.Left) != 1 || r.Next != "pm2 stop 'the web'" || r.Plan[0].Supervisor != r.Next || !listens(port) {
		t.Errorf("%+v, %v", r, err)
	}
}
