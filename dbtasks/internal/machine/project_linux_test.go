package machine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// elsewhereSleep sleeps in a mount namespace of its own, in the folder that
// has this path there, after another folder was bound over it.
func elsewhereSleep(t *testing.T, dir, over string) hostops.Process {
	t.Helper()
	line := `exec sleep 60`
	if over != "" {
		line = `mount --bind "$2" "$1" && cd / && cd "$1" && exec sleep 60`
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", line, "sh", dir, over)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		if p, err := hostops.Find(cmd.Process.Pid); err == nil && p.Name == "sleep" {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatal("the other namespace's process does not run")
		}
	}
}

func TestTheSamePathInAnotherMountNamespaceIsNotOursUnlessItIsTheSameFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 || exec.Command("unshare", "-m", "true").Run() != nil {
		t.Skip("a mount namespace needs root")
	}
	root, other := t.TempDir(), t.TempDir()
	files(t, root, map[string]string{"package.json": "{}"})
	files(t, other, map[string]string{"package.json": "{}"})
	bound, same := elsewhereSleep(t, root, other), elsewhereSleep(t, root, "")
	m, err := Look(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if bound.Dir != root {
		t.Fatalf("the other one's path is %s, want %s", bound.Dir, root)
	}
	if whose := m.Whose(bound, root); whose != Untold {
		t.Errorf("another folder at the same path: %v, want untold", whose)
	}
	if whose := m.Whose(same, root); whose != Ours {
		t.Errorf("the same folder in a sandbox: %v, want ours", whose)
	}
}

func TestAFolderThatIsGoneIsNobodysUntilItIsThereAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, ".worktrees", "x")
	files(t, root, map[string]string{"package.json": "{}", ".worktrees/x/.git": "gitdir: nowhere"})
	cmd := exec.Command("sleep", "60")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	m, err := Look(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p := m.Process(cmd.Process.Pid)
	if whose := m.Whose(p, root); whose != Untold {
		t.Errorf("a worktree that was removed: %v (%s), want untold", whose, p.Dir)
	}
	files(t, root, map[string]string{".worktrees/x/package.json": "{}"})
	if whose := m.Whose(p, root); whose != Ours {
		t.Errorf("a package there instead: %v, want ours", whose)
	}
}
