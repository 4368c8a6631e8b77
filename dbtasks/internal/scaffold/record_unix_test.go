//go:build unix

package scaffold

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestUndoFollowsNoLinkAndWaitsForNoPipe(t *testing.T) {
	t.Parallel()
	root, state, outside := unpack(t, "vite-pg"), t.TempDir(), t.TempDir()
	recorded(t, root, state)
	for file, replace := range map[string]func(at string) error{
		"scripts/recover.sh": func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"go.mod":             func(at string) error { return os.Symlink(filepath.Join(outside, "go.mod"), at) },
	} {
		at := filepath.Join(root, file)
		if err := os.Rename(at, filepath.Join(outside, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
		if err := replace(at); err != nil {
			t.Fatal(err)
		}
	}
	moved := filepath.Join(outside, "magefiles")
	if err := os.Rename(filepath.Join(root, "magefiles"), moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(moved, filepath.Join(root, "magefiles")); err != nil {
		t.Fatal(err)
	}
	u, err := PlanUndo(state, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"scripts/recover.sh", "go.mod", "magefiles/magefile.go"} {
		if !slices.ContainsFunc(u.Steps, func(s UndoStep) bool { return s.Path == file && s.Action == Leave }) {
			t.Errorf("%s is not left: %+v", file, u.Steps)
		}
	}
	if _, err := u.Apply(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"recover.sh", "go.mod", "magefiles/magefile.go"} {
		if _, err := os.Stat(filepath.Join(outside, file)); err != nil {
			t.Error(err)
		}
	}
}
