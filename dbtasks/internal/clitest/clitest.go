// Package clitest compiles the runbook as users have it: for tests, and for a
// release.
package clitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Compile compiles the runbook from a magefile of another module, as a project
// of a user's has it, and is the path of the binary, which everybody may run.
// root is this repository's root. What it makes lies in dir, which has to be
// there; the caller removes it.
func Compile(root, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "dbtasks")
	return binary, CompileTo(binary, root, dir)
}

// CompileTo is Compile to another place, with further flags of "mage -compile"
// (-goos, -goarch, -ldflags) and variables of its environment.
func CompileTo(binary, root, dir string, more ...string) (err error) {
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	gosum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	module := filepath.Join(dir, "module")
	_, requires, _ := strings.Cut(string(gomod), "go 1.26.0\n")
	files := map[string]string{
		"go.mod":                "module example.com/shop\n\ngo 1.26.0\n" + requires + "\nrequire github.com/pgrunbook/pgrunbook v0.0.0\n\nreplace github.com/pgrunbook/pgrunbook => " + root + "\n",
		"go.sum":                string(gosum),
		"magefiles/magefile.go": "//go:build mage\n\npackage main\n\nimport (\n\t//mage:import\n\t_ \"github.com/pgrunbook/pgrunbook/dbtasks\"\n)\n",
	}
	for name, text := range files {
		path := filepath.Join(module, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	flags := slices.DeleteFunc(slices.Clone(more), func(s string) bool { return !strings.HasPrefix(s, "-") })
	environ := slices.DeleteFunc(slices.Clone(more), func(s string) bool { return strings.HasPrefix(s, "-") })
	cmd := exec.Command("go", append(append([]string{"tool", "mage"}, flags...), "-compile", binary)...)
	cmd.Dir = module
	cmd.Env = append(append(os.Environ(), "MAGEFILE_CACHE="+filepath.Join(dir, "cache"), "GOFLAGS=-mod=mod "+os.Getenv("GOFLAGS")), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mage -compile: %w: %s", err, out)
	}
	return os.Chmod(binary, 0o755)
}
