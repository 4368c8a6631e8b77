package runbook_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// trialsVariable is how many trials are run; 16 where it is not set. Each makes
// a machine's evening of its own (trialscenes_linux_test.go) and has dev:stop
// judge it: whatever it would stop and must not, and whatever the dev script
// started and it does not find, fails.
const trialsVariable = "DBTASKS_TRIALS"

// actor is one process of a scene, a stand-in: this test's own binary under the
// name of the program that it stands for, with its command line and folder.
type actor struct {
	ID       int
	What     string // for people
	Program  string // name of the program: "node", "sh"; or the absolute path that it is to have
	Args     []string
	Dir      string
	Env      []string // what is added to the environment of its parent
	Listen   bool     // on a port of its own
	Orphan   bool     // who started it ends at once
	Over     string   // bound over Dir in a mount namespace of its own
	Stops    bool     // dev:stop is to stop it
	Children []actor
}

func init() {
	reexec.Register("trial-actor", playActor)
	reexec.Register("trial-starter", func([]string) int {
		var a actor
		if json.Unmarshal([]byte(os.Getenv("TRIAL_ACTOR")), &a) != nil {
			return 1
		}
		a.Orphan = false
		if _, err := a.start(); err != nil {
			fmt.Fprintln(os.Stderr, "trial:", err)
			return 1
		}
		return 0
	})
}

// start starts an actor, by way of a process that ends at once where it is to
// be an orphan.
func (a actor) start() (*exec.Cmd, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	bin := os.Getenv("TRIAL_BIN")
	role, program, args := "trial-actor", a.Program, a.Args
	if !filepath.IsAbs(program) {
		program = filepath.Join(bin, program)
	}
	switch {
	case a.Orphan:
		role, program, args = "trial-starter", filepath.Join(bin, "starter"), []string{"starter"}
	case a.Over != "":
		unshare, err := exec.LookPath("unshare")
		if err != nil {
			return nil, err
		}
		// The shell becomes the actor: bash can give it another name than its file's.
		program, args = unshare, append([]string{"unshare", "-m", "bash", "-c", `mount --bind "$0" "$1" && cd / && cd "$1" && shift && p="$1" && shift && exec -a "$1" "$p" "${@:2}"`, a.Over, a.Dir, program}, a.Args...)
	}
	cmd := &exec.Cmd{Path: program, Args: args, Dir: a.Dir}
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "DBTASKS_ROLE=") || strings.HasPrefix(kv, "TRIAL_ACTOR=")
	}),
		append(a.Env, "DBTASKS_ROLE="+role, "TRIAL_ACTOR="+string(text))...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if a.Orphan {
		return cmd, cmd.Wait()
	}
	return cmd, nil
}

// playActor is what a stand-in does: it listens, starts its children, says that
// it is there and stays.
func playActor([]string) int {
	var a actor
	if err := json.Unmarshal([]byte(os.Getenv("TRIAL_ACTOR")), &a); err != nil {
		return 1
	}
	if a.Listen {
		if _, err := net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return 1
		}
	}
	for _, child := range a.Children {
		cmd, err := child.start()
		if err != nil {
			fmt.Fprintln(os.Stderr, "trial:", err)
			return 1
		}
		if !child.Orphan {
			go func() { _ = cmd.Wait() }()
		}
	}
	place := filepath.Join(os.Getenv("TRIAL_PIDS"), strconv.Itoa(a.ID))
	if os.WriteFile(place+".new", []byte(strconv.Itoa(os.Getpid())), 0o600) != nil || os.Rename(place+".new", place) != nil {
		return 1
	}
	time.Sleep(3 * time.Minute)
	return 0
}

// stageBin links this test's binary under the names of programs.
func stageBin(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(trialPrograms, "starter") {
		linkSelf(t, filepath.Join(bin, name))
	}
	return bin
}

// linkSelf gives this test's binary another name: a link, or a copy where the
// file system has no place for one.
func linkSelf(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Link(self(t), path) == nil {
		return
	}
	text, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// flat are an actor and all below it.
func flat(list []actor) (all []actor) {
	for _, a := range list {
		all = append(append(all, a), flat(a.Children)...)
	}
	return all
}

func TestRandomScenesAreJudgedWithoutAWrongKillOrAMiss(t *testing.T) {
	t.Parallel()
	trials := 16
	if text := os.Getenv(trialsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s=%s is no number", trialsVariable, text)
		}
		trials = n
	}
	bin := stageBin(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("DBTASKS_TRIAL_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	var mu sync.Mutex // guards the counts
	processes, stopped := 0, 0
	next := make(chan int)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range next {
				n, gone := runTrial(t, bin, seed+uint64(i))
				mu.Lock()
				processes, stopped = processes+n, stopped+gone
				mu.Unlock()
			}
		})
	}
	for i := range trials {
		if t.Failed() {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	t.Logf("%d trials from seed %d: %d processes, %d to be stopped", trials, seed, processes, stopped)
}

// runTrial plays one scene, and has it judged without and then with signals.
func runTrial(t *testing.T, bin string, seed uint64) (processes, toStop int) {
	base, err := os.MkdirTemp("", "trial-*")
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	defer os.RemoveAll(base)
	pidFiles := filepath.Join(base, "pids")
	s := newScene(t, rand.New(rand.NewPCG(seed, 1)), base)
	cast := flat(s.actors)
	director := actor{ID: -1, Program: "starter", Args: []string{"director"}, Dir: base, Children: s.actors}
	text, err := json.Marshal(director)
	if err == nil {
		err = os.Mkdir(pidFiles, 0o700)
	}
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	cmd := &exec.Cmd{Path: filepath.Join(bin, "starter"), Args: []string{"director"}, Dir: base, Stderr: os.Stderr,
		Env: append(os.Environ(), "DBTASKS_ROLE=trial-actor", "TRIAL_ACTOR="+string(text), "TRIAL_BIN="+bin, "TRIAL_PIDS="+pidFiles)}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return 0, 0
	}
	pids := map[int]hostops.Process{} // by ID
	defer func() {
		for _, p := range pids {
			if !hostops.Gone(p.Identity) {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	deadline := time.Now().Add(time.Minute)
	for len(pids) < len(cast) {
		if time.Now().After(deadline) {
			t.Errorf("seed %d: %d of %d processes are there", seed, len(pids), len(cast))
			return 0, 0
		}
		for _, a := range cast {
			text, err := os.ReadFile(filepath.Join(pidFiles, strconv.Itoa(a.ID)))
			if pid, _ := strconv.Atoi(string(text)); err == nil && pids[a.ID].PID == 0 {
				if p, err := hostops.Find(pid); err == nil {
					pids[a.ID] = p
				}
			}
		}
		<-time.After(5 * time.Millisecond)
	}
	d := opened(t, s.root, "DBTASKS_PORTS=1")
	dry, err := d.Stop(ctx, runbook.StopOptions{Dry: true})
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	planned := map[int]string{}
	for _, it := range dry.Plan {
		planned[it.PID] = it.Reason
	}
	for _, a := range cast {
		processes++
		if a.Stops {
			toStop++
		}
		switch reason, stops := planned[pids[a.ID].PID]; {
		case stops && !a.Stops:
			t.Errorf("seed %d: WRONG KILL of %s (%s in %s): %s", seed, a.What, strings.Join(a.Args, " "), a.Dir, reason)
		case !stops && a.Stops:
			t.Errorf("seed %d: MISS of %s (%s in %s)", seed, a.What, strings.Join(a.Args, " "), a.Dir)
		}
		delete(planned, pids[a.ID].PID)
	}
	for pid, reason := range planned {
		t.Errorf("seed %d: process %d is none of the scene's, and would be stopped: %s", seed, pid, reason)
	}
	if t.Failed() {
		return processes, toStop // nothing is signalled that should not be
	}
	r, err := d.Stop(ctx, runbook.StopOptions{Grace: 10 * time.Second})
	if err != nil || !r.OK {
		t.Errorf("seed %d: %+v, %v", seed, r.Left, err)
	}
	for _, a := range cast {
		if gone := hostops.Gone(pids[a.ID].Identity); gone != a.Stops {
			t.Errorf("seed %d: after the stop %s (%s in %s): gone %v, want %v", seed, a.What, strings.Join(a.Args, " "), a.Dir, gone, a.Stops)
		}
	}
	return processes, toStop
}
