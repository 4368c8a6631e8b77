package scaffold

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// countdown is a context that ends after so many looks at it.
type countdown struct {
	context.Context
	looks int
}

func (c *countdown) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestARunThatIsStoppedLeavesWholeFilesAndTheNextRunGoesOn(t *testing.T) {
	t.Parallel()
	whole := unpack(t, "sveltekit-prisma7")
	applied(t, whole)
	want := files(t, whole)
	total := planned(t, unpack(t, "sveltekit-prisma7")).Writes()
	for looks := range total {
		root := unpack(t, "sveltekit-prisma7")
		before := files(t, root)
		written, err := Apply(&countdown{t.Context(), looks}, planned(t, root))
		if !errors.Is(err, context.Canceled) || written != looks {
			t.Fatalf("after %d looks: %d written, %v", looks, written, err)
		}
		for path, text := range files(t, root) {
			if text != before[path] && text != want[path] {
				t.Fatalf("after %d looks %s is neither old nor new: %q", looks, path, text)
			}
		}
		applied(t, root)
		if got := files(t, root); !maps.Equal(got, want) {
			t.Fatalf("the next run after %d looks made something else", looks)
		}
	}
}

func TestAFileThatCantBeWrittenLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	root := unpack(t, "sveltekit-prisma7")
	plan := planned(t, root)
	plan.Steps = append(plan.Steps, Step{Path: "bin/dbtasks", Action: Create, from: filepath.Join(root, "not there"), mode: 0o755})
	written, err := Apply(t.Context(), plan)
	if err == nil || written != plan.Writes()-1 {
		t.Fatalf("%d written, %v", written, err)
	}
	for path := range files(t, root) {
		if strings.Contains(path, "dbtasks-new") || path == "bin/dbtasks" {
			t.Errorf("%s is left", path)
		}
	}
}

func TestAFolderThatIsNotWritableIsSaidAndNothingInItChanges(t *testing.T) {
	t.Parallel()
	if os.Geteuid() <= 0 {
		t.Skip("root may write everywhere, and Windows has no such mode")
	}
	root := unpack(t, "vite-pg")
	plan := planned(t, root)
	before := files(t, root)
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(root, 0o755) })
	_, err := Apply(t.Context(), plan)
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(Tidy(err), "magefiles/magefile.go: permission denied") {
		t.Errorf("%v", err)
	}
	if !maps.Equal(before, files(t, root)) {
		t.Error("files changed")
	}
}

func TestWhatChangedBetweenThePlanAndTheActIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for path, text := range map[string]string{"package.json": "{}", "src/lib/db.ts": "mine"} {
		root := unpack(t, "vite-pg")
		plan := planned(t, root)
		put(t, root, path, text)
		if _, err := Apply(t.Context(), plan); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		if got := get(t, root, path); got != text {
			t.Errorf("%s was overwritten: %q", path, got)
		}
	}
}

func TestTheModeOfAFileStaysAndWrappersCanBeRun(t *testing.T) {
	t.Parallel()
	root := unpack(t, "sveltekit-prisma7")
	env := filepath.Join(root, ".env")
	if err := os.Chmod(env, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(env)
	if err != nil {
		t.Fatal(err)
	}
	applied(t, root)
	after, err := os.Stat(env)
	if err != nil || after.Mode() != before.Mode() || !strings.Contains(get(t, root, ".env"), "connection_limit=5") {
		t.Errorf(".env: %v, %v", after.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(root, "scripts", "recover.sh")); err != nil || filepath.Separator == '/' && info.Mode().Perm()&0o100 == 0 {
		t.Errorf("recover.sh: %v %v", info, err)
	}
}

func TestTheRemainsOfAKilledRunAreTakenAway(t *testing.T) {
	t.Parallel()
	root := unpack(t, "vite-pg")
	put(t, root, ".package.json.dbtasks-new", "half")
	applied(t, root)
	if _, err := os.Stat(filepath.Join(root, ".package.json.dbtasks-new")); err == nil {
		t.Error("it is still there")
	}
}

func TestASymbolicLinkOutOfTheProjectIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"scripts", "src/lib", ".gitignore", "magefiles/go.mod"} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			outside := t.TempDir()
			root := unpack(t, "vite-pg")
			at := filepath.Join(root, filepath.FromSlash(link))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(at) // .gitignore
			if err := os.Symlink(filepath.Join(outside, "there"), at); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			_, err := tryPlan(root)
			problem(t, err, ErrOutside)
			if left := files(t, outside); len(left) > 0 {
				t.Errorf("written outside: %v", left)
			}
		})
	}
}

func TestAFileThatIsSharedThroughALinkIsNoTroubleWhereNothingIsWritten(t *testing.T) {
	t.Parallel()
	outside := project(t, map[string]string{".env": "DATABASE_URL=postgres://h/d?connection_limit=5\n"})
	root := unpack(t, "vite-pg")
	if err := os.Symlink(filepath.Join(outside, ".env"), filepath.Join(root, ".env")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	step(t, applied(t, root), ".env", Keep)
	put(t, outside, ".env", "DATABASE_URL=postgres://h/d\n")
	_, err := tryPlan(root)
	problem(t, err, ErrOutside)
}

func TestASymbolicLinkWithinTheProjectIsFollowedAndStays(t *testing.T) {
	t.Parallel()
	root := unpack(t, "vite-pg")
	if err := os.Rename(filepath.Join(root, "package.json"), filepath.Join(root, "real.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.json", filepath.Join(root, "package.json")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	applied(t, root)
	if info, err := os.Lstat(filepath.Join(root, "package.json")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if !strings.Contains(get(t, root, "real.json"), "db:cleanup") {
		t.Error("what it leads to was not written")
	}
}
