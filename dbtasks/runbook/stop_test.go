//go:build unix

package runbook_test

import (
	"bufio"
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

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// serverJS listens on PORT and says so; with STUBBORN it ignores TERM, with
// DAEMON it has a child in a session of its own that lives on.
const serverJS = `
if (process.env.STUBBORN) process.on('SIGTERM', () => {})
require('net').createServer(() => {}).listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'))
`

// nodeProject is a project whose dev script is a real node server.
func nodeProject(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	root := t.TempDir()
	files := map[string]string{"package.json": `{"name":"shop","scripts":{"dev":"node server.js","test:run":"exit 7"}}`, "server.js": serverJS}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// started runs a command in its own process group until the test ends and
// waits for its line "listening".
func started(t *testing.T, dir string, port int, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PORT="+strconv.Itoa(port), "npm_config_update_notifier=false", "npm_config_cache="+filepath.Join(os.TempDir(), "npm-"+strconv.Itoa(os.Getuid())))
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	listening := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "listening") {
				listening <- true
			}
		}
		_ = cmd.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group that we made
		<-gone
	})
	select {
	case <-listening:
	case <-gone:
		t.Fatalf("%v ended at once", args)
	case <-time.After(20 * time.Second):
		t.Fatalf("%v does not listen", args)
	}
	return cmd
}

func listens(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStopEndsTheServerWithTheNpmAndShellAboveIt(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), freePort(t)
	npm := started(t, root, port, nil, "npm", "run", "dev")
	client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)) // a browser, and it is this very process
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := deps(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	dry, err := runbook.Stop(ctx, d, runbook.StopOptions{Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	if !listens(port) {
		t.Fatal("the dry run stopped the server")
	}
	pids := func(r runbook.StopReport) (list []int) {
		for _, p := range r.Plan {
			list = append(list, p.PID)
		}
		return list
	}
	if got := pids(dry); len(got) != 3 || got[2] != npm.Process.Pid || !slices.Equal(dry.Plan[0].Ports, []int{port}) {
		t.Errorf("plan %+v: want node, sh and npm, children first", dry.Plan)
	}
	r, err := runbook.Stop(ctx, d, runbook.StopOptions{})
	if err != nil || !r.OK || r.Gone != 3 || !slices.Equal(pids(r), pids(dry)) {
		t.Errorf("%+v, %v", r, err)
	}
	if listens(port) {
		t.Error("the port is still taken")
	}
	if again, err := runbook.Stop(ctx, d, runbook.StopOptions{}); err != nil || len(again.Plan) != 0 || !again.OK {
		t.Errorf("a second stop: %+v, %v", again, err)
	}
}

func TestAnOrphanThatNpmLeftBehindIsFoundAndStopped(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), freePort(t)
	npm := started(t, root, port, nil, "npm", "run", "dev")
	if err := syscall.Kill(npm.Process.Pid, syscall.SIGKILL); err != nil { // npm alone
		t.Fatal(err)
	}
	d := deps(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := runbook.Stop(ctx, d, runbook.StopOptions{})
	if err != nil || !r.OK || r.Gone < 1 || listens(port) {
		t.Errorf("%+v, %v, listens %v", r, err, listens(port))
	}
}

func TestAFrozenAndAStubbornServerAreStoppedToo(t *testing.T) {
	t.Parallel()
	root, port := nodeProject(t), freePort(t)
	server := started(t, root, port, []string{"STUBBORN=1"}, "node", "server.js")
	if err := syscall.Kill(server.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d := deps(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := runbook.Stop(ctx, d, runbook.StopOptions{Grace: 300 * time.Millisecond})
	if err != nil || !r.OK || r.Gone != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAnotherProjectsServerIsLeftAloneUnlessAllIsAsked(t *testing.T) {
	t.Parallel()
	root, other, port := nodeProject(t), nodeProject(t), freePort(t)
	server := started(t, other, port, nil, "node", "server.js")
	d := deps(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := runbook.Stop(ctx, d, runbook.StopOptions{})
	if err != nil || len(r.Plan) != 0 || len(r.Spared) != 1 || r.Spared[0].PID != server.Process.Pid {
		t.Errorf("%+v, %v", r, err)
	}
	if !listens(port) {
		t.Fatal("the other project's server was stopped")
	}
	if r, err = runbook.Stop(ctx, d, runbook.StopOptions{All: true}); err != nil || r.Gone != 1 || listens(port) {
		t.Errorf("-all: %+v, %v", r, err)
	}
}

func TestWhatElseRunsNodeInTheProjectSurvives(t *testing.T) {
	t.Parallel()
	root := nodeProject(t)
	var bystanders []int
	for _, script := range []string{"node_modules/typescript/lib/tsserver.js", "node_modules/vitest/vitest.mjs", "node_modules/svelte-language-server/bin/server.js", "scripts/dev/agent.js"} {
		path := filepath.Join(root, script)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("console.log('listening'); setInterval(() => {}, 1000)"), 0o600); err != nil {
			t.Fatal(err)
		}
		bystanders = append(bystanders, started(t, root, 0, nil, "node", path).Process.Pid)
	}
	port := freePort(t)
	started(t, root, port, nil, "npm", "run", "dev")
	d := deps(t, root, "DBTASKS_PORTS="+strconv.Itoa(port))
	r, err := runbook.Stop(ctx, d, runbook.StopOptions{})
	if err != nil || !r.OK || listens(port) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, pid := range bystanders {
		if !alive(pid) {
			t.Errorf("process %d was stopped", pid)
		}
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
	d := deps(t, dir, "DBTASKS_PORTS="+strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	r, err := runbook.Stop(ctx, d, runbook.StopOptions{All: true, Dry: true})
	if err != nil || len(r.Plan) != 0 || len(r.Spared) != 1 || r.Spared[0].PID != os.Getpid() {
		t.Errorf("%+v, %v: this test process listens there, and it is us", r, err)
	}
}
