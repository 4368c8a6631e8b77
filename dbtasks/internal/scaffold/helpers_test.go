package scaffold

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

var update = flag.Bool("update", false, "write the golden plans")

// unpack writes an archive of testdata ("-- path --" before each file) into a
// folder of the test's own.
func unpack(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	path := ""
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(rest, " --\n") {
			path = strings.TrimSuffix(rest, " --\n")
			files[path] = ""
			continue
		}
		files[path] += line
	}
	return project(t, files)
}

// project is a folder with these files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		put(t, root, path, text)
	}
	return root
}

func put(t *testing.T, root, path, text string) {
	t.Helper()
	full := filepath.Join(root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, root, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files are all of a folder, with their texts and modes.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		all[filepath.ToSlash(rel)] = fmt.Sprintf("%v\n%s", info.Mode(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// planned is the plan for a folder.
func planned(t *testing.T, root string) Plan {
	t.Helper()
	plan, err := tryPlan(root)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func tryPlan(root string) (Plan, error) {
	p, err := Read(context.Background(), root)
	if err != nil {
		return Plan{}, err
	}
	cfg, err := settings.Load(root, nil)
	if err != nil {
		return Plan{}, err
	}
	return New(p, cfg, Options{Source: func() (string, error) { return FindSource("", "") }, Port: 3000})
}

// applied plans and applies, and gives the plan.
func applied(t *testing.T, root string) Plan {
	t.Helper()
	plan := planned(t, root)
	n, err := Apply(t.Context(), plan)
	if err != nil || n != plan.Writes() {
		t.Fatalf("%d of %d written: %v", n, plan.Writes(), err)
	}
	return plan
}

func step(t *testing.T, plan Plan, path string, action Action) Step {
	t.Helper()
	i := slices.IndexFunc(plan.Steps, func(s Step) bool { return s.Path == path && s.Action == action })
	if i < 0 {
		t.Fatalf("no step %s %s in\n%s", action, path, listing(plan))
	}
	return plan.Steps[i]
}

func listing(plan Plan) string {
	var b strings.Builder
	for _, s := range plan.Steps {
		fmt.Fprintf(&b, "%-8s %s: %s\n", s.Action, s.Path, s.Why)
		for line := range strings.Lines(s.Show) {
			b.WriteString("    " + line)
		}
	}
	if len(plan.Install) > 0 {
		fmt.Fprintf(&b, "install: %s\n", plan.Project.Add(plan.Install...))
	}
	return b.String()
}

func problem(t *testing.T, err, kind error) *ProjectError {
	t.Helper()
	var p *ProjectError
	if !errors.As(err, &p) || !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	if p.Next == "" || !strings.Contains(p.Message, "nothing was touched") {
		t.Errorf("%q, next %q", p.Message, p.Next)
	}
	return p
}

// source is this repository's own folder.
func source(t *testing.T) string {
	t.Helper()
	dir, err := FindSource("", "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
