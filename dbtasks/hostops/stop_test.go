//go:build unix

package hostops

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/reexec"
)

func stop(t *testing.T, grace time.Duration, processes ...Process) []StopOutcome {
	t.Helper()
	var plan StopPlan
	for _, p := range processes {
		plan.Targets = append(plan.Targets, StopTarget{p, "test"})
	}
	out, err := Stop(context.Background(), plan, StopOptions{Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// stubborn starts a process that ignores TERM.
func stubborn(t *testing.T) Process {
	t.Helper()
	cmd := reexec.Command(context.Background(), "stubborn")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	if line, err := readLine(out); err != nil || line != "ready" {
		t.Fatalf("%q, %v", line, err)
	}
	return p
}

// childOf reads a child's pid from its parent's output, and ends it with the test.
func childOf(t *testing.T, out io.Reader) Process {
	t.Helper()
	line, err := readLine(out)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Find(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = send(p.Identity, "KILL") })
	return p
}

// readLine reads byte by byte, so that nothing of the next line is lost.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil || b[0] == '\n' {
			return string(line), err
		}
		line = append(line, b[0])
	}
}

// copyOfSleep is a program that sleeps, under another name.
func copyOfSleep(t *testing.T, name string) string {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestAProcessThatListensToTermIsGoneWithoutKill(t *testing.T) {
	t.Parallel()
	p := start(t, exec.Command("sleep", "60"))
	out := stop(t, 5*time.Second, p)
	if len(out) != 1 || out[0].Result != ResultGone || out[0].Signal != "TERM" {
		t.Errorf("%+v", out)
	}
	if !Gone(p.Identity) {
		t.Error("it is not gone")
	}
}

func TestAProcessThatIgnoresTermIsKilledAfterTheGrace(t *testing.T) {
	t.Parallel()
	p := stubborn(t)
	began := time.Now()
	res := stop(t, 300*time.Millisecond, p)
	if res[0].Result != ResultGone || res[0].Signal != "KILL" || time.Since(began) < 300*time.Millisecond {
		t.Errorf("%+v after %s", res[0], time.Since(began))
	}
}

func TestAFrozenProcessIsContinuedAndEnds(t *testing.T) {
	t.Parallel()
	p := start(t, exec.Command("sleep", "60"))
	if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopped", func() bool { now, err := Find(p.PID); return err == nil && now.State == Stopped })
	if out := stop(t, 5*time.Second, p); out[0].Result != ResultGone || out[0].Signal != "TERM" {
		t.Errorf("%+v", out)
	}
}

func TestAPidThatIsUsedAgainIsNotSignalled(t *testing.T) {
	t.Parallel()
	p := start(t, exec.Command("sleep", "60"))
	planned := p
	planned.Started-- // another process had this pid when the plan was made
	out := stop(t, time.Second, planned)
	if out[0].Result != ResultRefused || !strings.Contains(out[0].Detail, ErrOtherProcess.Error()) {
		t.Errorf("%+v", out)
	}
	if !alive(p.PID) {
		t.Error("the innocent process was ended")
	}
}

func TestWeAndOurAncestorsAreNeverSignalled(t *testing.T) {
	t.Parallel()
	// The grandchild plans to stop its grandparent, its parent and itself.
	out, err := reexec.Command(context.Background(), "grandparent").Output()
	if err != nil {
		t.Fatal(err)
	}
	line := "refused " + ErrSelf.Error() + "\n"
	if want := line + line + line; string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestAPostgreSQLProcessIsNeverSignalled(t *testing.T) {
	t.Parallel()
	p := start(t, exec.Command(copyOfSleep(t, "postgres"), "60"))
	eventually(t, "it runs as postgres", func() bool {
		now, err := Find(p.PID)
		p = now
		return err == nil && strings.HasSuffix(now.Exe, "/postgres")
	})
	if out := stop(t, time.Second, p); out[0].Result != ResultRefused || !alive(p.PID) {
		t.Errorf("%+v", out)
	}
}

func TestAnotherUsersProcessIsNeverSignalled(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	p := start(t, cmd)
	if out := stop(t, time.Second, p); out[0].Result != ResultRefused || !alive(p.PID) {
		t.Errorf("as root: %+v", out)
	}
}

func TestChildrenThatAppearMeanwhileGoTooAndSparedOnesStay(t *testing.T) {
	t.Parallel()
	// TERM makes the shell start one more child before it waits for it.
	cmd := exec.Command("sh", "-c", `trap 'sleep 61 & wait' TERM; sleep 62 & echo $!; while :; do wait; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	spared := childOf(t, out)
	kept := spared.PID
	res, err := Stop(context.Background(), StopPlan{Targets: []StopTarget{{p, "test"}}, Spare: []Identity{spared.Identity}}, StopOptions{Grace: 700 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(res) < 2 {
		t.Errorf("%+v: the child of the trap is missing", res)
	}
	for _, r := range res {
		if r.Result != ResultGone || r.Process.PID == kept {
			t.Errorf("%+v", r)
		}
	}
	if !alive(kept) {
		t.Error("the spared child was ended")
	}
}

func TestWhatATargetHasStartedIsEndedThoughThePlanDoesNotNameIt(t *testing.T) {
	t.Parallel()
	// The shell dies of TERM at once: its child has to be known before.
	cmd := exec.Command("sh", "-c", `sleep 60 & echo $!; exec sleep 61`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	child := childOf(t, out)
	res := stop(t, 5*time.Second, p)
	if len(res) != 2 || res[0].Process.PID != child.PID || res[1].Process.PID != p.PID {
		t.Errorf("%+v, want the child, then its parent", res)
	}
	if !Gone(child.Identity) {
		t.Error("the child was orphaned")
	}
}

func TestAnOrphanInASessionOfItsOwnIsEnded(t *testing.T) {
	t.Parallel()
	setsid, err := exec.LookPath("setsid")
	if err != nil {
		t.Skip(err)
	}
	// The shell has ended when Output returns.
	pid, err := exec.Command("sh", "-c", setsid+` sleep 60 >/dev/null 2>&1 & echo $!`).Output()
	if err != nil {
		t.Fatal(err)
	}
	orphan := childOf(t, bytes.NewReader(pid))
	if res := stop(t, 5*time.Second, orphan); res[0].Result != ResultGone || !Gone(orphan.Identity) {
		t.Errorf("%+v", res)
	}
}

func TestADatabaseThatATargetStartedIsLeftAlone(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", copyOfSleep(t, "postgres")+` 60 & echo $!; exec sleep 61`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	server := childOf(t, out)
	eventually(t, "it runs as postgres", func() bool { now, err := Find(server.PID); return err == nil && KindOf(now) == Postgres })
	res := stop(t, 5*time.Second, p)
	if len(res) != 2 || res[0].Result != ResultRefused || res[0].Detail != ErrPostgres.Error() || res[1].Result != ResultGone {
		t.Errorf("%+v", res)
	}
	if !alive(server.PID) {
		t.Error("the database was ended")
	}
}

func TestAZombieIsGone(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Find(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	res := stop(t, 5*time.Second, p) // nobody has waited for it yet
	if res[0].Result != ResultGone || res[0].Signal != "TERM" {
		t.Errorf("%+v", res)
	}
	if now, err := Find(p.PID); err != nil || now.State != Zombie {
		t.Errorf("%+v, %v: want a zombie", now, err)
	}
	_ = cmd.Wait()
	if _, err := Find(p.PID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAnEndedContextSignalsNothing(t *testing.T) {
	t.Parallel()
	p := start(t, exec.Command("sleep", "60"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out, err := Stop(ctx, StopPlan{Targets: []StopTarget{{p, "test"}}}, StopOptions{})
	if !errors.Is(err, context.Canceled) || len(out) != 1 || out[0].Result != ResultLeft || out[0].Signal != "" || !alive(p.PID) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAContextThatEndsInTheGraceKillsNothing(t *testing.T) {
	t.Parallel()
	p := stubborn(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	out, err := Stop(ctx, StopPlan{Targets: []StopTarget{{p, "test"}}}, StopOptions{Grace: time.Minute})
	if !errors.Is(err, context.DeadlineExceeded) || len(out) != 1 || out[0].Result != ResultLeft || out[0].Signal != "TERM" || !alive(p.PID) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestABackendGetsTermOnlyWhileItIsWhatThePlanSaw(t *testing.T) {
	t.Parallel()
	backend := start(t, exec.Command("sleep", "60"))
	server, err := Find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	other, retitled, reused := server.Identity, backend, backend
	other.Started--
	retitled.Args = []string{"postgres: app shop [local] idle"}
	reused.Started--
	for what, err := range map[string]error{
		"another server": TerminateBackend(backend, other),
		"another title":  TerminateBackend(retitled, server.Identity),
		"another start":  TerminateBackend(reused, server.Identity),
	} {
		if !errors.Is(err, ErrChanged) || !alive(backend.PID) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := TerminateBackend(backend, server.Identity); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the backend is gone", func() bool { return Gone(backend.Identity) })
}

func TestWholeTreesAreListedChildrenFirst(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `sh -c 'sleep 60 & wait' & wait`)
	p := start(t, cmd)
	var table *Table
	eventually(t, "the tree stands", func() bool {
		var err error
		table, err = Snapshot(context.Background())
		return err == nil && len(table.Descendants(p.PID)) == 2
	})
	pids := []int{p.PID}
	for _, d := range table.Descendants(p.PID) {
		pids = append(pids, d.PID)
	}
	ordered := table.ChildrenFirst(pids)
	if ordered[0].Name != "sleep" || ordered[2].PID != p.PID {
		t.Errorf("order: %s, %s, %s", ordered[0].Name, ordered[1].Name, ordered[2].Name)
	}
	for _, r := range stop(t, 5*time.Second, ordered...) {
		if r.Result != ResultGone {
			t.Errorf("%+v", r)
		}
	}
}
