//go:build unix

package pgserver_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// supervisors is a folder with PM2 and concurrently from npm, and the
// stand-ins, installed once.
var supervisors = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("/tmp", "dbtasks-supervisors-")
	installed = dir
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.CopyFS(dir, os.DirFS("testdata/supervisors"))
	}
	if err != nil {
		return dir, err
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("npm install: %w: %s", err, out)
	}
	bin := filepath.Join(dir, "node_modules", ".bin")
	for _, name := range []string{"process-compose", "overmind"} {
		text, err := os.ReadFile(filepath.Join(dir, "process-compose"))
		if err == nil {
			err = os.WriteFile(filepath.Join(bin, name), text, 0o755)
		}
		if err != nil {
			return dir, err
		}
	}
	return dir, nil
})

// scene is a server whose data belongs to its account, and a way to start
// programs as that account.
type scene struct {
	t    *testing.T
	s    *pgtest.Server
	as   *syscall.SysProcAttr
	dir  string // the project's folder, and its HOME
	bin  string // the supervisors'
	argv []string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir, err := supervisors()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"logging_collector": "off"}})
	sc := &scene{t: t, s: s, as: stopByHand(t, s), bin: filepath.Join(dir, "node_modules", ".bin")}
	sc.dir, err = os.MkdirTemp("/tmp", "dbtasks-shop-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sc.dir) })
	if c := sc.as.Credential; c != nil {
		if err := os.Chown(sc.dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	sc.argv = []string{filepath.Join(pgtest.Binaries(t).Dir, "postgres"), "-D", s.DataDir}
	return sc
}

// command is a program of the supervisors' folder, run as the server's account.
func (sc *scene) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(sc.bin, args[0]), args[1:]...)
	cmd.Dir = sc.dir
	attr := *sc.as
	attr.Setsid = true
	cmd.SysProcAttr = &attr
	command, _ := json.Marshal(sc.argv)
	cmd.Env = append([]string{"PATH=" + sc.bin + ":" + os.Getenv("PATH"), "HOME=" + sc.dir, "PM2_HOME=" + sc.dir + "/.pm2", "LC_ALL=C", "PWD=" + sc.dir, "STANDIN_COMMAND=" + string(command)}, env...)
	return cmd
}

// start starts a supervisor that is ended, with its server, at the test's end.
func (sc *scene) start(env []string, args ...string) hostops.Identity {
	sc.t.Helper()
	cmd := sc.command(env, args...)
	if err := cmd.Start(); err != nil {
		sc.t.Fatal(err)
	}
	p, err := hostops.Find(cmd.Process.Pid)
	if err != nil {
		sc.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	sc.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	return p.Identity
}

// pid is the server's once it takes logins.
func (sc *scene) pid() int {
	sc.t.Helper()
	pid := 0
	pgtest.Eventually(sc.t, 20*time.Second, "the server is ready", func() bool {
		text, _ := os.ReadFile(filepath.Join(sc.s.DataDir, "postmaster.pid"))
		lines := strings.Split(string(text), "\n")
		if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
			return false
		}
		pid, _ = strconv.Atoi(lines[0])
		return pid != 0
	})
	return pid
}

// restarts plans, applies, and wants another server under the same supervisor.
func (sc *scene) restarts(way, line string) pgserver.Restart {
	sc.t.Helper()
	before := sc.pid()
	plan, err := pgserver.PlanRestart(subject(sc.t, before), "")
	if err != nil {
		sc.t.Fatal(err, pgserver.IsManual(err))
	}
	if plan.Way != way || !strings.HasSuffix(plan.Describe(), line) {
		sc.t.Errorf("%s: %s, want … %s", plan.Way, plan.Describe(), line)
	}
	parent := subject(sc.t, before).PPID
	if err := plan.Apply(sc.t.Context(), nil); err != nil {
		sc.t.Fatal(err)
	}
	if after := sc.pid(); after == before || subject(sc.t, after).PPID != parent {
		sc.t.Errorf("pid %d under %d, then %d under %d", before, parent, after, subject(sc.t, after).PPID)
	}
	return plan
}

// TestTheirOwnSupervisorsRestartThem is serial: where its client is looked for
// is PATH's to say.
func TestTheirOwnSupervisorsRestartThem(t *testing.T) {
	dir, err := supervisors()
	if err == nil {
		t.Setenv("PATH", filepath.Join(dir, "node_modules", ".bin")+":"+os.Getenv("PATH"))
	}
	t.Run("PM2", pm2)
	t.Run("process-compose, the second of two", processCompose)
	t.Run("process-compose -U", func(t *testing.T) {
		sc := newScene(t)
		up := sc.start(nil, "process-compose", "-U", "up")
		sc.restarts(pgserver.WayProcessCompose, fmt.Sprintf("process-compose -u /tmp/process-compose-%d.sock process restart postgres", up.PID))
	})
	t.Run("overmind", func(t *testing.T) {
		sc := newScene(t)
		sc.start([]string{"STANDIN_NAME=db"}, "overmind", "start")
		plan := sc.restarts(pgserver.WayOvermind, "overmind restart db")
		if plan.Typed != "cd "+sc.dir+" && "+filepath.Join(sc.bin, "overmind")+" restart db" || plan.Run.Dir != sc.dir {
			t.Errorf("%s; in %s", plan.Typed, plan.Run.Dir)
		}
	})
	t.Run("concurrently", func(t *testing.T) {
		sc := newScene(t)
		sc.start(nil, "concurrently", strings.Join(sc.argv, " "), "sleep 600")
		before := sc.pid()
		_, err := pgserver.PlanRestart(subject(t, before), "")
		if manual := pgserver.IsManual(err); manual == nil || !strings.Contains(manual.Why, "concurrently") || !strings.HasPrefix(manual.Command, "kill -INT ") {
			t.Errorf("%v", err)
		}
	})
}

func pm2(t *testing.T) {
	sc := newScene(t)
	if out, err := sc.command(nil, append([]string{"pm2", "start", sc.argv[0], "--name", "db", "--interpreter", "none", "--"}, sc.argv[1:]...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = sc.command(nil, "pm2", "kill").Run() })
	sc.restarts(pgserver.WayPM2, "pm2 restart 0")
	// Stopped between the plan and the act: PM2 starts it again.
	plan, err := pgserver.PlanRestart(subject(t, sc.pid()), "")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := sc.command(nil, "pm2", "stop", "db").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := plan.Resume(t.Context(), nil); err != nil {
		t.Error(err)
	}
	sc.pid()
}

// processCompose has two with a process postgres each: the first has the
// address that our own environment names, and must not be touched.
func processCompose(t *testing.T) {
	first, second := newScene(t), newScene(t)
	port, other := strconv.Itoa(pgtest.FreePort(t)), strconv.Itoa(pgtest.FreePort(t))
	first.start(nil, "process-compose", "-p", port, "up")
	second.start([]string{"PC_PORT_NUM=" + other}, "process-compose", "up")
	untouched := first.pid()
	t.Setenv("PC_PORT_NUM", port)
	second.restarts(pgserver.WayProcessCompose, "process-compose -p "+other+" process restart postgres")
	if now := first.pid(); now != untouched {
		t.Errorf("another project's server was restarted: pid %d, then %d", untouched, now)
	}
	// The address that is known is the wrong one: nothing is touched, the command is said.
	wrong := subject(t, second.pid())
	for i := range wrong.Environ {
		if strings.HasPrefix(wrong.Environ[i], "PC_PORT_NUM=") {
			wrong.Environ[i] = "PC_PORT_NUM=" + port
		}
	}
	_, err := pgserver.PlanRestart(wrong, "")
	if manual := pgserver.IsManual(err); manual == nil || !strings.Contains(manual.Why, "runs other processes") {
		t.Errorf("%v", err)
	}
}

// installed is the folder of supervisors, "" where none was made.
var installed string

func removeSupervisors() {
	if installed != "" {
		_ = os.RemoveAll(installed)
	}
}
