package dbtasks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/magefile/mage/parse"
)

// contract is every target and its flags, as -h shows them.
var contract = []string{
	"db:cleanup cancel=bool dry=bool force=bool idle=time.Duration json=bool pid=int remote=string state=string",
	"db:limits json=bool raise=int timeout=time.Duration",
	"db:monitor For=time.Duration every=time.Duration json=bool once=bool svg=string warn=int",
	"db:test json=bool wait=time.Duration",
	"db:who json=bool",
	"dev:check json=bool",
	"dev:drill slots=int",
	"dev:init dry=bool undo=bool",
	"dev:recover dry=bool remote=string restart=string start=bool",
	"dev:start command=string guard=int port=int replace=bool",
	"dev:stop all=bool dry=bool grace=time.Duration json=bool",
	"dev:test",
	"dev:verify json=bool max=int reloads=int svg=string url=string",
}

func TestMageSeesExactlyTheTargetsAndFlagsOfTheContract(t *testing.T) {
	t.Parallel()
	info, err := parse.Package(".", sources(t), false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range info.Funcs {
		line := strings.ToLower(f.TargetName())
		var flags []string
		for _, arg := range f.Args {
			if !arg.Optional {
				t.Errorf("%s: %s is not optional", line, arg.Name)
			}
			flags = append(flags, arg.Name+"="+arg.Type)
		}
		slices.Sort(flags)
		if f.Synopsis == "" {
			t.Errorf("%s has no synopsis: mage -l would show an empty line", line)
		}
		got = append(got, strings.Join(append([]string{line}, flags...), " "))
	}
	slices.Sort(got)
	if !slices.Equal(got, contract) {
		t.Errorf("targets:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(contract, "\n"))
	}
}

// sources are this package's own files, without tests.
func sources(t *testing.T) []string {
	entries, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(entries, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

func TestAnotherModuleGetsTheTargetsByOneImport(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a magefile of another module")
	}
	for _, alias := range []string{"", "pg"} {
		t.Run("alias "+alias, func(t *testing.T) {
			t.Parallel()
			dir := otherModule(t, alias)
			out, err := mage(t, dir, "-l")
			if err != nil {
				t.Fatalf("mage -l: %v\n%s", err, out)
			}
			if got, want := listed(out), wanted(alias); !slices.Equal(got, want) {
				t.Errorf("mage -l lists %q, want %q", got, want)
			}
			// A listing alone proves nothing: it is green over a magefile that
			// does not compile. Without settings a target must say so, exit 2.
			out, err = mage(t, dir, prefixed(alias, "db:test"))
			if code := exitCode(err); code != 2 || !strings.Contains(out, "DATABASE_URL") {
				t.Errorf("db:test without settings: exit %d, want 2 and the variable's name:\n%s", code, out)
			}
			out, _ = mage(t, dir, "cleanup")
			if want := "Next: go tool mage " + prefixed(alias, "db:cleanup"); !strings.Contains(out, want) {
				t.Errorf("%s, want %s", out, want)
			}
		})
	}
}

func prefixed(alias, target string) string {
	if alias == "" {
		return target
	}
	return alias + ":" + target
}

func wanted(alias string) []string {
	var list []string
	for _, line := range contract {
		list = append(list, prefixed(alias, strings.Fields(line)[0]))
	}
	slices.Sort(list)
	return list
}

func listed(out string) []string {
	var list []string
	_, rest, _ := strings.Cut(out, "Targets:\n")
	for line := range strings.Lines(rest) {
		if fields := strings.Fields(line); len(fields) > 1 {
			list = append(list, strings.ToLower(fields[0]))
		}
	}
	slices.Sort(list)
	return list
}

// otherModule is a module that imports dbtasks as a user's would, with a
// replace in place of a published version.
func otherModule(t *testing.T, alias string) string {
	comment := "//mage:import"
	if alias != "" {
		comment += " " + alias
	}
	return moduleWith(t, "magefiles/magefile.go", "//go:build mage\n\npackage main\n\nimport (\n\t"+comment+"\n\t_ \"github.com/pgrunbook/pgrunbook/dbtasks\"\n)\n")
}

// moduleWith is a module with this one magefile, that has the dbtasks of this
// working copy.
func moduleWith(t *testing.T, magefile, text string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(gomod), "go 1.26.0\n")
	gosum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", fmt.Sprintf("module example.com/shop\n\ngo 1.26.0\n%s\nrequire github.com/pgrunbook/pgrunbook v0.0.0\n\nreplace github.com/pgrunbook/pgrunbook => %s\n", requires, root))
	write("go.sum", string(gosum))
	write(magefile, text)
	return dir
}

// mage runs "go tool mage" in a folder, with an environment that has no
// settings of the machine's own.
func mage(t *testing.T, dir string, args ...string) (string, error) {
	cmd := exec.Command("go", append([]string{"tool", "mage"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(withoutSettings(os.Environ()), "MAGEFILE_CACHE="+t.TempDir(), "GOFLAGS=-mod=mod "+os.Getenv("GOFLAGS"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func withoutSettings(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		for _, prefix := range []string{"DATABASE_URL=", "DIRECT_URL=", "DBTASKS_", "PG", "npm_"} {
			if strings.HasPrefix(kv, prefix) && !strings.HasPrefix(kv, "DBTASKS_PG_BIN=") {
				return true
			}
		}
		return false
	})
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}
