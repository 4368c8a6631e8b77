package checklist

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

func TestItNamesEveryFaultOfAProjectAndNothingElse(t *testing.T) {
	t.Parallel()
	cases, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Name() == "kinds" {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			root := copied(t, filepath.Join("testdata", c.Name()))
			want, err := os.ReadFile(filepath.Join("testdata", c.Name(), "want.txt"))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, checked(t, root), string(want))
		})
	}
}

// checked runs the checklist over a folder, as on a machine of 4 cores with a
// server of 97 slots.
func checked(t *testing.T, root string) Report {
	t.Helper()
	cfg, err := settings.Load(root, nil)
	o := Options{Config: cfg, Usable: 97, Cores: 4}
	if err != nil {
		o.Config, o.Settings = &settings.Config{Root: root}, err
	}
	r, err := Check(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// findings are the report's, one a line: "2 wrong src/db.ts:4 …".
func findings(r Report) []string {
	var list []string
	for _, item := range r.Items {
		for _, f := range item.Findings {
			place := f.File
			if f.Line > 0 {
				place = fmt.Sprintf("%s:%d", f.File, f.Line)
			}
			list = append(list, fmt.Sprintf("%d %s %s %s", item.Number, f.Verdict, place, f.Problem))
		}
	}
	return list
}

func compare(t *testing.T, r Report, want string) {
	t.Helper()
	got := findings(r)
	wanted := strings.FieldsFunc(want, func(c rune) bool { return c == '\n' })
	slices.Sort(got)
	slices.Sort(wanted)
	for _, line := range got {
		if !slices.Contains(wanted, line) {
			t.Errorf("too much: %s", line)
		}
	}
	for _, line := range wanted {
		if !slices.Contains(got, line) {
			t.Errorf("missing:  %s", line)
		}
	}
	for _, item := range r.Items {
		for _, f := range item.Findings {
			if f.Verdict == Wrong && (f.Why == "" || f.Write == "") {
				t.Errorf("item %d says neither why nor what to write: %+v", item.Number, f)
			}
		}
	}
}

// copied is a copy of a project outside of this repository, its env file under
// its real name.
func copied(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "want.txt" {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if rel == "env" {
			rel = ".env"
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		write(t, to, rel, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, root string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
