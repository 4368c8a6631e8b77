//go:build unix

package hostops

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func stop(t *testing.T, grace time.Duration, processes ...Process) []StopOutcome {
	t.Helper()
	var plan StopPlan
	for _, p := range processes {
		plan.Targets = append(plan.Targets, StopTarget{Process: p, Reason: "test"})
	}
	out, err := Stop(context.Background(), plan, StopOptions{Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

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
	p, _ := stubborn(t)
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

func TestChildrenThatAppearMeanwhileGoTooAndSparedOnesStay(t *testing.T) {
	t.Parallel()
	cmd := reexec.Command(context.Background(), "multiplies")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	spared := childOf(t, out)
	kept := spared.PID
	res, err := Stop(context.Background(), StopPlan{Targets: []StopTarget{{Process: p, Reason: "test"}}, Spare: []Identity{spared.Identity}}, StopOptions{Grace: 700 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(res, func(r StopOutcome) bool { return r.Process.PID != p.PID && r.Signal == "TERM" }) {
		t.Errorf("%+v: the child of the trap is missing, or got no grace", res)
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

func TestWholeTreesAreListedChildrenFirst(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `sh -c 'sleep 60 & wait' & wait`)
	p := start(t, cmd)
	var table *Table
	eventually(t, "the tree stands", func() bool {
		var err error
		table, err = Snapshot(context.Background())
		if err != nil {
			return false
		}
		below := table.Descendants(p.PID)
		return len(below) == 2 && below[0].Name == "sleep"
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
