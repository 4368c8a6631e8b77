//go:build unix

package runbook_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// pids are those of a plan, in its order.
func pids(r runbook.StopReport) (list []int) {
	for _, p := range r.Plan {
		list = append(list, p.PID)
	}
	return list
}

func TestStopEndsTheServerWithTheNpmAndShellAboveIt(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	npm := started(t, root, port, nil, "npm", "run", "dev")
	client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)) // a browser, and it is this very process
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	dry, err := d.Stop(ctx, runbook.StopOptions{Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	if !listens(port) {
		t.Fatal("the dry run stopped the server")
	}
	if got := pids(dry); len(got) != 3 || got[2] != npm.Process.Pid || !slices.Equal(dry.Plan[0].Ports, []int{port}) {
		t.Errorf("plan %+v: want node, sh and npm, children first", dry.Plan)
	}
	r, err := d.Stop(ctx, runbook.StopOptions{})
	if err != nil || !r.OK || r.Gone != 3 || !slices.Equal(pids(r), pids(dry)) {
		t.Errorf("%+v, %v", r, err)
	}
	if listens(port) {
		t.Error("the port is still taken")
	}
	if again, err := d.Stop(ctx, runbook.StopOptions{}); err != nil || len(again.Plan) != 0 || !again.OK {
		t.Errorf("a second stop: %+v, %v", again, err)
	}
}

func TestAnOrphanThatNpmLeftBehindIsFoundAndStopped(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	npm := started(t, root, port, nil, "npm", "run", "dev")
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	dry, err := d.Stop(ctx, runbook.StopOptions{Dry: true})
	if err != nil || len(dry.Plan) == 0 {
		t.Fatalf("%+v, %v", dry, err)
	}
	node := dry.Plan[0].PID
	if err := npm.Process.Kill(); err != nil { // npm alone
		t.Fatal(err)
	}
	pgtest.Eventually(t, 5*time.Second, "npm is gone from above the server", func() bool {
		table, err := hostops.Snapshot(ctx)
		return err == nil && !slices.ContainsFunc(table.Ancestors(node), func(p hostops.Process) bool { return p.PID == npm.Process.Pid })
	})
	if !listens(port) {
		t.Fatal("the server ended with npm: there is no orphan")
	}
	r, err := d.Stop(ctx, runbook.StopOptions{})
	if err != nil || !r.OK || !slices.Contains(pids(r), node) || slices.Contains(pids(r), npm.Process.Pid) || listens(port) {
		t.Errorf("%+v, %v, listens %v", r, err, listens(port))
	}
}

func TestAFrozenServerEndsByItselfAndAStubbornOneIsKilledAfterTheGrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what     string
		env      []string
		frozen   bool
		grace    time.Duration
		min, max time.Duration
	}{
		{"frozen", nil, true, 20 * time.Second, 0, 10 * time.Second},
		{"stubborn", []string{"STUBBORN=1"}, false, 400 * time.Millisecond, 400 * time.Millisecond, 10 * time.Second},
		{"frozen and stubborn", []string{"STUBBORN=1"}, true, 400 * time.Millisecond, 400 * time.Millisecond, 10 * time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			root, port := nodeProject(t), pgtest.FreePort(t)
			server := started(t, root, port, c.env, "node", "server.js")
			if c.frozen {
				if err := server.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
			r, err := d.Stop(ctx, runbook.StopOptions{Grace: c.grace})
			took := time.Duration(r.TookMS) * time.Millisecond
			if err != nil || !r.OK || r.Gone != 1 || alive(server.Process.Pid) || took < c.min || took > c.max {
				t.Errorf("after %s: %+v, %v", took, r, err)
			}
		})
	}
}

func TestAnotherProjectsServerIsLeftAloneUnlessAllIsAsked(t *testing.T) {
	t.Parallel()
	root, other, port := nodeProject(t), nodeProject(t), pgtest.FreePort(t)
	server := started(t, other, port, nil, "node", "server.js")
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := d.Stop(ctx, runbook.StopOptions{})
	if err != nil || len(r.Plan) != 0 || len(r.Spared) != 1 || r.Spared[0].PID != server.Process.Pid {
		t.Errorf("%+v, %v", r, err)
	}
	if !listens(port) {
		t.Fatal("the other project's server was stopped")
	}
	if r, err = d.Stop(ctx, runbook.StopOptions{All: true}); err != nil || r.Gone != 1 || listens(port) {
		t.Errorf("-all: %+v, %v", r, err)
	}
}

func TestAClientOfThePortSurvivesAlsoInTheProjectsFolder(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	started(t, root, port, nil, "node", "server.js")
	client := started(t, root, port, nil, "node", "-e", `require('net').connect(+process.env.PORT, '127.0.0.1', () => console.log('listening')).on('error', () => {}); setInterval(() => {}, 1000)`)
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := d.Stop(ctx, runbook.StopOptions{All: true})
	if err != nil || !r.OK || r.Gone != 1 || listens(port) {
		t.Errorf("%+v, %v", r, err)
	}
	if !alive(client.Process.Pid) {
		t.Error("the client was stopped")
	}
}

// waiting is a script that has started what it is given, says so, and stays.
func waiting(t *testing.T, path, begin string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(begin+"\nconsole.log('listening'); setInterval(() => {}, 1000)"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatElseRunsNodeInTheProjectSurvives(t *testing.T) {
	t.Parallel()
	root := nodeProject(t)
	var bystanders []int
	for _, script := range []string{"node_modules/typescript/lib/tsserver.js", "node_modules/vitest/vitest.mjs", "node_modules/svelte-language-server/bin/server.js", "scripts/dev/agent.js"} {
		bystanders = append(bystanders, started(t, root, 0, nil, "node", waiting(t, filepath.Join(root, script), "")).Process.Pid)
	}
	port := pgtest.FreePort(t)
	started(t, root, port, nil, "npm", "run", "dev")
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := d.Stop(ctx, runbook.StopOptions{})
	if err != nil || !r.OK || listens(port) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, pid := range bystanders {
		if !alive(pid) {
			t.Errorf("process %d was stopped", pid)
		}
	}
}

// program is a stand-in of a system's program of this name, outside of every project.
func program(t *testing.T, name string) string {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatTheDevServerRunsEndsWithItAndWhatItOpenedForAPersonDoesNot(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	checker := waiting(t, filepath.Join(root, "node_modules/typescript/lib/tsserver.js"), "")
	dev := fmt.Sprintf(`const {spawn} = require('child_process')
const editor = spawn(%q, ['60'], {stdio: 'ignore'}), checker = spawn(process.execPath, [%q], {stdio: 'inherit'})
require('fs').writeFileSync('pids', editor.pid + ' ' + checker.pid); require('./server.js')`, program(t, "nvim"), checker)
	server := started(t, root, port, nil, "node", "-e", dev)
	var editor, checks int
	pgtest.Eventually(t, 10*time.Second, "the server has started both", func() bool {
		text, _ := os.ReadFile(filepath.Join(root, "pids"))
		n, _ := fmt.Sscan(string(text), &editor, &checks)
		return n == 2 && listens(port)
	})
	t.Cleanup(func() { _ = syscall.Kill(editor, syscall.SIGKILL) })
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := d.Stop(ctx, runbook.StopOptions{})
	if err != nil || !r.OK || !slices.Equal(pids(r), []int{checks, server.Process.Pid}) || len(r.Spared) != 1 || r.Spared[0].PID != editor {
		t.Errorf("%+v, %v", r, err)
	}
	if !alive(editor) {
		t.Error("the editor was stopped")
	}
}

func TestATestWatcherOnADevPortSurvives(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	vitest := waiting(t, filepath.Join(root, "node_modules/vitest/vitest.mjs"), "import '../../server.js'")
	watcher := started(t, root, port, nil, "node", vitest)
	pgtest.Eventually(t, 10*time.Second, "the test watcher listens", func() bool { return listens(port) })
	d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := d.Stop(ctx, runbook.StopOptions{All: true})
	if err != nil || len(r.Plan) != 0 || len(r.Spared) != 1 || r.Spared[0].PID != watcher.Process.Pid || !alive(watcher.Process.Pid) {
		t.Errorf("on a dev port: %+v, %v", r, err)
	}
}

func TestPostgreSQLAndForwardersOnADevPortAreSparedWhoeverAsks(t *testing.T) {
	t.Parallel()
	root := project(t)
	for name, reason := range map[string]string{"postgres": "PostgreSQL", "docker-proxy": "container", "ssh": "forwarder"} {
		port := pgtest.FreePort(t)
		p := started(t, root, port, []string{"DBTASKS_ROLE=dev-app"}, copyOfSelf(t, root, name))
		d := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
		r, err := d.Stop(ctx, runbook.StopOptions{All: true})
		if err != nil || len(r.Plan) != 0 || len(r.Spared) != 1 || r.Spared[0].PID != p.Process.Pid || !strings.Contains(r.Spared[0].Reason, reason) || !alive(p.Process.Pid) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestTheNpmThatStopWasCalledThroughIsNotStopped(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	server := started(t, root, port, nil, "node", "server.js")
	npm := exec.Command("npm", "run", "--silent", "start") // by its name a dev server
	npm.Dir, npm.Env = root, append(npmEnv(t), fmt.Sprintf("DBTASKS_PORTS=%d", port), "SELF="+self(t))
	said, err := npm.Output()
	var r runbook.StopReport
	if err != nil || json.Unmarshal(said, &r) != nil {
		t.Fatalf("npm run start: %v: %s", err, said)
	}
	if !r.OK || !slices.Equal(pids(r), []int{server.Process.Pid}) || listens(port) {
		t.Errorf("%+v", r)
	}
}

func TestWeAreNeverStoppedByOurOwnStop(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	d := opened(t, dir, "DBTASKS_PORTS="+strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	r, err := d.Stop(ctx, runbook.StopOptions{All: true, Dry: true})
	if err != nil || len(r.Plan) != 0 || len(r.Spared) != 1 || r.Spared[0].PID != os.Getpid() {
		t.Errorf("%+v, %v: this test process listens there, and it is us", r, err)
	}
}

func TestWhatIsStartedAgainIsNotSaidToBeGone(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), pgtest.FreePort(t)
	elsewhere := t.TempDir() // a supervisor that is not this project's
	loop := exec.Command("sh", "-c", `while :; do (cd "$1" && PORT=$2 exec node server.js); done`, "sh", root, strconv.Itoa(port))
	loop.Dir = elsewhere
	loop.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := loop.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-loop.Process.Pid, syscall.SIGKILL) // the group that this test made
		_ = loop.Wait()
	})
	pgtest.Eventually(t, 10*time.Second, "the server listens", func() bool { return listens(port) })
	r, err := opened(t, root, "DBTASKS_PORTS="+strconv.Itoa(port)).Stop(ctx, runbook.StopOptions{})
	if err != nil {
		t.Fatal(err)
	}
	by := fmt.Sprintf("(pid %d)", loop.Process.Pid)
	if r.OK || len(r.CameBack) == 0 || !strings.Contains(r.CameBack[0].Reason, by) || !strings.Contains(r.Next, strconv.Itoa(loop.Process.Pid)) {
		t.Errorf("ok %t, came back %+v, next %q: want it to be said, and %s named", r.OK, r.CameBack, r.Next, by)
	}
}
