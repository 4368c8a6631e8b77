//go:build linux

package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/clitest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// atOnce is how many rows run side by side: most of them wait.
const atOnce = 8

func TestMain(m *testing.M) {
	reexec.Run() // before our flags: a stand-in has arguments of its own
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
	if shop.runbook, err = clitest.Compile("../../..", shop.dir); err != nil {
		return err
	}
	shop.node = filepath.Join(shop.dir, "node")
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
