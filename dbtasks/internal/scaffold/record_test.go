package scaffold

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a project's files by path, but for what is no file.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			files[rel+"/"] = ""
			return nil
		}
		text, err := os.ReadFile(path)
		files[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// recorded runs dev:init in a project, recorded.
func recorded(t *testing.T, root, state string) {
	t.Helper()
	plan := planned(t, root)
	if err := Record(plan, state); err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
}

func TestUndoTakesOutWhatWasPutInAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sveltekit-prisma7", "next-pg", "vite-pg", "vite-pg-js", "leaking"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, state := unpack(t, name), t.TempDir()
			before := tree(t, root)
			recorded(t, root, state)
			recorded(t, root, state) // a second run has nothing to do, and nothing to record
			if maps.Equal(tree(t, root), before) {
				t.Fatal("dev:init wrote nothing")
			}
			u, err := PlanUndo(state, root)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := u.Apply(); err != nil || n == 0 {
				t.Fatalf("%d files, %v", n, err)
			}
			after := tree(t, root)
			for path, text := range before {
				if have, ok := after[path]; !ok || have != text {
					t.Errorf("%s is not as it was: %q", path, have)
				}
			}
			for path := range after {
				if _, ok := before[path]; !ok {
					t.Errorf("%s is left", path)
				}
			}
			if _, err := PlanUndo(state, root); !errors.Is(err, ErrNoRecord) {
				t.Errorf("it is still recorded: %v", err)
			}
		})
	}
}

func TestUndoLeavesWhatWasChangedSince(t *testing.T) {
	t.Parallel()
	root, state := unpack(t, "vite-pg"), t.TempDir()
	before := tree(t, root)
	recorded(t, root, state)
	change := func(name, old, new string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Contains(text, []byte(old)) {
			t.Fatalf("%s has no %q (%v): %s", name, old, err, text)
		}
		put(t, root, name, strings.Replace(string(text), old, new, 1))
	}
	change("scripts/run-target.sh", "set -euo pipefail", "set -eu")
	change("package.json", `"dependencies": {`, `"dependencies": {`+"\n    \"left-pad\": \"1\",")
	change("package.json", `"db:monitor": "bash`, `"db:monitor": "echo mine; bash`)
	change(".gitignore", "/bin/dbtasks", "/bin/dbtasks\n/mine")
	u, err := PlanUndo(state, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Apply(); err != nil {
		t.Fatal(err)
	}
	after := tree(t, root)
	if !strings.Contains(after["scripts/run-target.sh"], "set -eu\n") {
		t.Error("a changed file was removed")
	}
	if !strings.Contains(after["package.json"], "echo mine") || !strings.Contains(after["package.json"], "left-pad") {
		t.Errorf("package.json was changed by two, and is not left: %s", after["package.json"])
	}
	if strings.Contains(after[".gitignore"], "/bin/dbtasks") || !strings.Contains(after[".gitignore"], "/mine") {
		t.Errorf(".gitignore: %q", after[".gitignore"])
	}
	if after[".env"] != before[".env"] {
		t.Errorf(".env: %q, was %q", after[".env"], before[".env"])
	}
	if _, ok := after["magefiles/magefile.go"]; ok {
		t.Error("an unchanged file of dev:init's is left")
	}
}

func TestARecordHasNothingOfTheUsers(t *testing.T) {
	t.Parallel()
	root, state := unpack(t, "vite-pg"), t.TempDir()
	recorded(t, root, state)
	for path, text := range tree(t, state) {
		if strings.Contains(text, "secret") || strings.Contains(text, "postgresql://") {
			t.Errorf("%s has a URL: %s", path, text)
		}
		if info, err := os.Stat(filepath.Join(state, path)); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s", path)
		}
	}
}
