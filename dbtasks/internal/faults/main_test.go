//go:build linux

package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// atOnce is how many rows run side by side: most of them wait.
const atOnce = 8

func TestMain(m *testing.M) {
	flag.Parse()
	if n, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); err == nil && n < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	code := 1
	defer func() { os.Exit(code) }()
	defer func() { _ = os.RemoveAll(shop.dir) }()
	code = pgtest.Run(m)
}

// shop holds the programs of all rows: the runbook as users have it, compiled
// from a magefile of another module, and this test binary as "node".
var shop struct {
	once          sync.Once
	dir           string
	runbook, node string
	err           error
}

func programs(t *testing.T) (runbook, node string) {
	t.Helper()
	shop.once.Do(func() { shop.err = compile() })
	if shop.err != nil {
		t.Fatal(shop.err)
	}
	return shop.runbook, shop.node
}

func compile() (err error) {
	if shop.dir, err = os.MkdirTemp("", "dbtasks-faults-"); err != nil {
		return err
	}
	if err := os.Chmod(shop.dir, 0o755); err != nil {
		return err
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
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
	module := filepath.Join(shop.dir, "module")
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
	shop.runbook, shop.node = filepath.Join(shop.dir, "dbtasks"), filepath.Join(shop.dir, "node")
	cmd := exec.Command("go", "tool", "mage", "-compile", shop.runbook)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "MAGEFILE_CACHE="+filepath.Join(shop.dir, "cache"), "GOFLAGS=-mod=mod "+os.Getenv("GOFLAGS"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mage -compile: %w: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// By cp: a file that we write ourselves is busy while a parallel row forks.
	if out, err := exec.Command("cp", self, shop.node).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return os.Chmod(shop.node, 0o755)
}
