//go:build unix

package hostops

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func TestAPidThatIsUsedAgainIsNotSignalledNorWhatItStarted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `sleep 60 & echo $!; wait`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	child := childOf(t, stdout)
	planned := p
	planned.Started-- // another process had this pid when the plan was made
	out := stop(t, time.Second, planned)
	if len(out) != 1 || out[0].Result != ResultRefused || out[0].Detail != ErrOtherProcess.Error() {
		t.Errorf("%+v", out)
	}
	if Gone(p.Identity) || Gone(child.Identity) {
		t.Error("an innocent process was ended")
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

func TestAnEndedContextSignalsNothing(t *testing.T) {
	t.Parallel()
	p := start(t, exec.Command("sleep", "60"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out, err := Stop(ctx, StopPlan{Targets: []StopTarget{{Process: p, Reason: "test"}}}, StopOptions{})
	if !errors.Is(err, context.Canceled) || len(out) != 1 || out[0].Result != ResultLeft || out[0].Signal != "" || !alive(p.PID) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAContextThatEndsInTheGraceKillsNothing(t *testing.T) {
	t.Parallel()
	p, says := stubborn(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = readLine(says) // it got its TERM
		cancel()
	}()
	out, err := Stop(ctx, StopPlan{Targets: []StopTarget{{Process: p, Reason: "test"}}}, StopOptions{Grace: time.Minute})
	if !errors.Is(err, context.Canceled) || len(out) != 1 || out[0].Result != ResultLeft || out[0].Signal != "TERM" || !alive(p.PID) {
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
	stranger := start(t, exec.Command("sleep", "60"))
	for what, err := range map[string]error{
		"another server": TerminateBackend(backend, other),
		"another parent": TerminateBackend(backend, stranger.Identity),
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
