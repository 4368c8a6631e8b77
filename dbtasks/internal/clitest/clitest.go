// Package clitest compiles the runbook for tests that run it as users do.
package clitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Compile compiles the runbook from a magefile of another module, as a project
// of a user's has it, and is the path of the binary, which everybody may run.
// root is this repository's root. What it makes lies in dir, which has to be
// there; the caller removes it.
func Compile(root, dir string) (binary string, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return "", err
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	gosum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return "", err
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
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	binary = filepath.Join(dir, "dbtasks")
	cmd := exec.Command("go", "tool", "mage", "-compile", binary)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "MAGEFILE_CACHE="+filepath.Join(dir, "cache"), "GOFLAGS=-mod=mod "+os.Getenv("GOFLAGS"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mage -compile: %w: %s", err, out)
	}
	return binary, os.Chmod(binary, 0o755)
}
