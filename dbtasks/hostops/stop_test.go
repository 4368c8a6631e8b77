//go:build unix

package hostops

import (
	"bufio"
	"context"
	"os"
	"os/exec"
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
	cmd := reexec.Command(context.Background(), "stubborn")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q", line)
	}
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
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		p, err := Find(pid)
		if err != nil {
			t.Fatal(err)
		}
		if out := stop(t, time.Second, p); out[0].Result != ResultRefused || out[0].Signal != "" {
			t.Errorf("%+v", out)
		}
	}
}

func TestAPostgreSQLProcessIsNeverSignalled(t *testing.T) {
	t.Parallel()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	impostor := t.TempDir() + "/postgres"
	if err := os.WriteFile(impostor, text, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, exec.Command(impostor, "60"))
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
		p, err := Find(1)
		if err != nil {
			t.Skip("process 1 can't be seen from here")
		}
		if p.Mine() {
			t.Skip("process 1 is ours: a container")
		}
		if out := stop(t, time.Second, p); out[0].Result != ResultRefused {
			t.Errorf("%+v", out)
		}
		return
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
	line, _ := bufio.NewReader(out).ReadString('\n')
	kept, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	spared, err := Find(kept)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(kept, syscall.SIGKILL) })
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
