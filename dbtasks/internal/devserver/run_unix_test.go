//go:build unix

package devserver

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

func TestNothingOfAStubbornTreeIsLeftWhateverEndsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		above string
		grace string // "": the default
		act   func(t *testing.T, s *scene)
	}{
		"INT to the group":   {act: func(t *testing.T, s *scene) { kill(t, -s.top.Process.Pid, syscall.SIGINT) }},
		"INT to main alone":  {grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, s.main, syscall.SIGINT) }},
		"TERM to main":       {act: func(t *testing.T, s *scene) { kill(t, s.main, syscall.SIGTERM) }},
		"TERM to the group":  {grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, -s.top.Process.Pid, syscall.SIGTERM) }},
		"HUP to main":        {grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, s.main, syscall.SIGHUP) }},
		"HUP to the group":   {grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, -s.top.Process.Pid, syscall.SIGHUP) }},
		"KILL to main":       {act: func(t *testing.T, s *scene) { kill(t, s.main, syscall.SIGKILL) }},
		"KILL to supervisor": {grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, s.supervisor(t), syscall.SIGKILL) }},
		"KILL to both at once": {act: func(t *testing.T, s *scene) {
			if runtime.GOOS != "linux" {
				t.Skip("who belongs to the tree can't be told here when both are gone")
			}
			supervisor := s.supervisor(t)
			kill(t, s.main, syscall.SIGSTOP) // so that neither has time to end the tree
			kill(t, supervisor, syscall.SIGSTOP)
			kill(t, s.main, syscall.SIGKILL)
			kill(t, supervisor, syscall.SIGKILL)
		}},
		"KILL to the group": {act: func(t *testing.T, s *scene) {
			if runtime.GOOS != "linux" {
				t.Skip("who belongs to the tree can't be told here when both are gone")
			}
			supervisor := s.supervisor(t)
			kill(t, s.main, syscall.SIGSTOP)
			kill(t, supervisor, syscall.SIGSTOP)
			for _, p := range s.tree {
				if p.PID == s.main || p.PID == supervisor || p.PID == s.number("command") {
					kill(t, p.PID, syscall.SIGKILL)
				}
			}
		}},
		"KILL to mage":        {above: "mage", act: func(t *testing.T, s *scene) { kill(t, s.top.Process.Pid, syscall.SIGKILL) }},
		"TERM to mage":        {above: "mage", grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, s.top.Process.Pid, syscall.SIGTERM) }},
		"KILL to the command": {grace: "400ms", act: func(t *testing.T, s *scene) { kill(t, s.number("command"), syscall.SIGKILL) }},
		"a frozen supervisor": {act: func(t *testing.T, s *scene) {
			kill(t, s.supervisor(t), syscall.SIGSTOP)
			kill(t, s.main, syscall.SIGTERM)
		}},
		"a frozen server": {grace: "400ms", act: func(t *testing.T, s *scene) {
			kill(t, s.number("server"), syscall.SIGSTOP)
			kill(t, s.main, syscall.SIGTERM)
		}},
		"INT twice, like ^C^C": {grace: "400ms", act: func(t *testing.T, s *scene) {
			kill(t, -s.top.Process.Pid, syscall.SIGINT)
			kill(t, -s.top.Process.Pid, syscall.SIGINT)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage(t, Command{Args: serverLine(t, "server", "stubborn"), Env: append(os.Environ(), graceVariable+"="+c.grace)}, c.above, nil, nil)
			s.ready(t, sleepers())
			c.act(t, s)
			s.gone(t)
		})
	}
}

func TestAPoliteTreeEndsAtOnceAndTheReasonIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		act    func(t *testing.T, s *scene)
		reason string
		exit   []int
	}{
		"Ctrl+C": {func(t *testing.T, s *scene) { kill(t, -s.top.Process.Pid, syscall.SIGINT) }, "interrupted", []int{130}},
		"Ctrl+C that this process hears last": {func(t *testing.T, s *scene) {
			supervisor := s.supervisor(t)
			kill(t, s.number("command"), syscall.SIGINT)
			kill(t, s.number("server"), syscall.SIGINT)
			kill(t, supervisor, syscall.SIGINT)
		}, "interrupted", []int{130}},
		"TERM":                   {func(t *testing.T, s *scene) { kill(t, s.main, syscall.SIGTERM) }, "SIGTERM", []int{143}},
		"killed supervisor":      {func(t *testing.T, s *scene) { kill(t, s.supervisor(t), syscall.SIGKILL) }, "its supervisor was killed", []int{1}},
		"TERM to the supervisor": {func(t *testing.T, s *scene) { kill(t, s.supervisor(t), syscall.SIGTERM) }, "SIGTERM", []int{143}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage(t, Command{Args: serverLine(t, "server", "polite")}, "", nil, nil)
			s.ready(t, sleepers())
			began := time.Now()
			c.act(t, s)
			s.gone(t)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v: KILL was waited for", took)
			}
			r := s.result(t)
			if r.Reason != c.reason || len(r.Left) > 0 {
				t.Errorf("result %+v, want reason %q", r, c.reason)
			}
			if r.ExitCode != c.exit[0] {
				t.Errorf("exit code %d, want %v", r.ExitCode, c.exit)
			}
		})
	}
}

func TestTheCommandsExitCodeIsPassedOn(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"exit 0":             0,
		"exit 7":             7,
		"kill -9 $$":         137,
		"kill -TERM $$":      143,
		"sleep 60 & exit 3":  3,
		"no-such-program-xy": 127,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := stage(t, Command{Args: []string{"sh", "-c", line}}, "", nil, nil)
			r := s.result(t)
			if r.ExitCode != want || r.Reason != "" || len(r.Left) > 0 {
				t.Errorf("result %+v, want exit code %d", r, want)
			}
			if got := s.top.ProcessState.ExitCode(); got != want {
				t.Errorf("main exited with %d", got)
			}
		})
	}
}

func TestWhatOutlivesTheCommandIsEndedWithIt(t *testing.T) {
	t.Parallel()
	s := stage(t, Command{Args: []string{"sh", "-c", "echo $$ >DIR/x; sleep 61 & echo $! >DIR/bg; sleep 0.3; exit 5"}}, "", nil, nil)
	eventually(t, 5*time.Second, "the background sleep runs", func() bool {
		text, _ := os.ReadFile(filepath.Join(s.dir, "bg"))
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return false
		}
		p, err := hostops.Find(pid)
		s.tree = []hostops.Process{p}
		return err == nil && len(p.Args) == 2
	})
	s.gone(t)
	if r := s.result(t); r.ExitCode != 5 {
		t.Errorf("result %+v", r)
	}
}

func TestAnEditorThatTheCommandOpenedStays(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "nvim")); err != nil {
		t.Fatal(err)
	}
	args := serverLine(t, "server", "polite")
	args[2] = programVariable + "=sleeper DIR/nvim DIR vite.config.ts & " + args[2]
	s := stage(t, Command{Dir: dir, Args: args}, "", nil, nil)
	s.ready(t, sleepers()+1)
	var editor hostops.Process
	for i, p := range s.tree {
		if p.Name == "nvim" {
			editor = p
			s.tree = append(s.tree[:i:i], s.tree[i+1:]...)
		}
	}
	t.Cleanup(func() {
		if !hostops.Gone(editor.Identity) {
			kill(t, editor.PID, syscall.SIGKILL)
		}
	})
	kill(t, s.main, syscall.SIGTERM)
	s.gone(t)
	if editor.PID == 0 || hostops.Gone(editor.Identity) {
		t.Error("the editor was ended")
	}
	if r := s.result(t); len(r.Left) > 0 {
		t.Errorf("result %+v", r)
	}
}

func TestAShellAboveMayEndAndTheCommandRunsOn(t *testing.T) {
	t.Parallel()
	s := stage(t, Command{Args: serverLine(t, "server", "polite")}, "sh", nil, nil)
	s.ready(t, sleepers())
	kill(t, s.top.Process.Pid, syscall.SIGKILL)
	<-s.ended
	main, err := hostops.Find(s.main)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(3 * watchEvery); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if hostops.Gone(main.Identity) || s.number("server") < 0 {
			t.Fatal("main ended with the shell above it")
		}
		if _, err := FreePort([]int{s.port}); err == nil {
			t.Fatal("the server ended with the shell above it")
		}
	}
	kill(t, s.main, syscall.SIGTERM)
	s.gone(t)
}

func TestAProgramThatCanNotBeStartedIsAnError(t *testing.T) {
	t.Parallel()
	s := stage(t, Command{Line: "no-such-program dev", Args: []string{"no-such-program"}}, "", nil, nil)
	<-s.ended
	if got := s.top.ProcessState.ExitCode(); got != 98 {
		t.Errorf("exit code %d", got)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	if !bytes.Contains(log, []byte("run no-such-program dev: the command did not start")) {
		t.Errorf("said %q", log)
	}
}

func TestTheCommandHasNoneOfOurPipesAndDefaultSignals(t *testing.T) {
	t.Parallel()
	s := stage(t, Command{Args: []string{"sh", "-c", `ls /dev/fd/ | cat >DIR/fds; kill -INT $$; exit 9`}}, "", nil, nil)
	if r := s.result(t); r.ExitCode != 130 {
		t.Errorf("INT is not at its default: %+v", r)
	}
	fds, err := os.ReadFile(filepath.Join(s.dir, "fds"))
	if err != nil {
		t.Fatal(err)
	}
	direct, err := exec.Command("sh", "-c", "ls /dev/fd/ | cat").Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(fds) != string(direct) {
		t.Errorf("open in the command: %q, in one that is started without Run: %q", fds, direct)
	}
}

func TestHUPIsIgnoredUnderNohup(t *testing.T) {
	t.Parallel()
	s := stage(t, Command{Args: []string{"sh", "-c", "kill -HUP 0; echo >DIR/still-here; exit 4"}}, "", nil, nil, "nohup")
	if r := s.result(t); r.ExitCode != 4 || r.Reason != "" {
		t.Errorf("result %+v", r)
	}
	if !plainfile.Exists(filepath.Join(s.dir, "still-here")) {
		t.Error("the command got HUP")
	}
}

func TestAProgramThatPlaysNoRolesDoesNotStartItselfForEver(t *testing.T) {
	// As it is in a program that has package devserver and never calls reexec.Run.
	t.Setenv(roleVariable, supervisorRole)
	if _, err := Run(t.Context(), Command{Args: []string{"true"}}, RunOptions{}); !errors.Is(err, ErrNoRoles) {
		t.Errorf("%v", err)
	}
}
