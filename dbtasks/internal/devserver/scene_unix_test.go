//go:build unix

package devserver

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// scene is one tree: (mage ->) main -> supervisor -> sh -> sh -> server -> …
type scene struct {
	dir   string
	top   *exec.Cmd // mage or main, leader of a process group of its own
	main  int
	port  int
	tree  []hostops.Process // everything below and with top, as it ran
	ended chan struct{}     // closed when top has been waited for
}

// stage starts a tree and waits until all of it runs. above: a stand-in that starts
// main, "mage" or "shell".
// attr: how top is started; nil: in a process group of its own. wrapper: a
// program that becomes main (nohup).
func stage(t *testing.T, cmd Command, above string, stdin *os.File, attr *syscall.SysProcAttr, wrapper ...string) *scene {
	t.Helper()
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	s := &scene{dir: cmd.Dir, ended: make(chan struct{})}
	for i := range cmd.Args {
		cmd.Args[i] = strings.ReplaceAll(cmd.Args[i], "DIR", s.dir)
	}
	text, err := json.Marshal(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "command.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.top = exec.Command(self, s.dir)
	s.top.Env = append(os.Environ(), programVariable+"=main")
	if above != "" {
		s.top.Args = []string{above, self, s.dir}
		s.top.Env = append(os.Environ(), programVariable+"="+above)
	}
	if len(wrapper) > 0 {
		path, err := exec.LookPath(wrapper[0])
		if err != nil {
			t.Fatal(err)
		}
		s.top.Path, s.top.Args = path, append(wrapper, self, s.dir)
	}
	if attr == nil {
		attr = &syscall.SysProcAttr{Setpgid: true}
	}
	s.top.SysProcAttr = attr
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.top.Stdin, s.top.Stdout, s.top.Stderr = stdin, log, log
	if stdin != nil {
		s.top.Stdout = stdin
	}
	if err := s.top.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.top.Wait(); close(s.ended) }()
	s.main = s.top.Process.Pid
	t.Cleanup(func() {
		for _, p := range append(s.now(), s.tree...) {
			if !hostops.Gone(p.Identity) {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Logf("log: %s", text)
		}
		<-s.ended
	})
	return s
}

// ready waits for the stand-in server's tree.
func (s *scene) ready(t *testing.T, sleepers int) {
	t.Helper()
	eventually(t, 10*time.Second, "the tree runs", func() bool {
		found, _ := filepath.Glob(filepath.Join(s.dir, "sleeper-*.pid"))
		return len(found) == sleepers && s.number("port") >= 0 && s.number("command") > 0
	})
	s.port = s.number("port")
	if pid := s.number("main"); pid > 0 {
		s.main = pid
	}
	s.tree = s.now()
	server := s.number("server")
	for _, p := range s.tree {
		if p.PID == server {
			return
		}
	}
	t.Fatalf("server %d is not below %d", server, s.top.Process.Pid)
}

// now is top with everything below it; none once top is gone.
func (s *scene) now() []hostops.Process {
	table, err := hostops.Snapshot(context.Background())
	if err != nil {
		return nil
	}
	list := table.Descendants(s.top.Process.Pid)
	if p, ok := table.Process(s.top.Process.Pid); ok && p.PPID == os.Getpid() {
		list = append(list, p)
	}
	return list
}

func (s *scene) number(name string) int {
	text, err := os.ReadFile(filepath.Join(s.dir, name+".pid"))
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return -1
	}
	return n
}

// supervisor is main's child.
func (s *scene) supervisor(t *testing.T) int {
	t.Helper()
	for _, p := range s.tree {
		if p.PPID == s.main && p.PGID != p.PID { // the watcher is in a session of its own
			return p.PID
		}
	}
	t.Fatal("main has no child")
	return 0
}

// gone fails unless everything of the tree is gone within 5 s and its port free.
func (s *scene) gone(t *testing.T) {
	t.Helper()
	began := time.Now()
	var left []string
	for {
		left = left[:0]
		for _, p := range s.tree {
			if !hostops.Gone(p.Identity) {
				left = append(left, strconv.Itoa(p.PID)+" "+p.Command())
			}
		}
		if len(left) == 0 {
			break
		}
		if time.Since(began) > 5*time.Second {
			t.Fatalf("after 5 s there is still:\n%s", strings.Join(left, "\n"))
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Logf("%d processes gone after %v", len(s.tree), time.Since(began).Round(time.Millisecond))
	if s.port > 0 {
		if _, err := FreePort([]int{s.port}); err != nil {
			t.Error(err)
		}
	}
}

// result is what Run returned in main.
func (s *scene) result(t *testing.T) Result {
	t.Helper()
	<-s.ended
	var r Result
	text, err := os.ReadFile(filepath.Join(s.dir, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func eventually(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !cond(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// serverLine is a tree as npm makes it: shells that wait for the server.
func serverLine(t *testing.T, program, mode string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inner := programVariable + "=" + program + " '" + self + "' 'DIR' " + mode + `; exit \$?`
	return []string{"sh", "-c", `sh -c "` + inner + `"; exit $?`}
}

// sleepers is how many children the stand-in server has.
func sleepers() int {
	if hostops.CanSubreap {
		return 2
	}
	return 1
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}
