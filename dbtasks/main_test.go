package dbtasks

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := 1
	defer func() { os.Exit(code) }()
	defer func() { _ = os.RemoveAll(compiled.dir) }()
	code = pgtest.Run(m)
}

// compiled is the runbook as users have it: a magefile of another module,
// compiled once for all tests.
var compiled struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func binary(t *testing.T) string {
	t.Helper()
	compiled.once.Do(func() {
		if compiled.dir, compiled.err = os.MkdirTemp("", "dbtasks-test-"); compiled.err != nil {
			return
		}
		compiled.path = filepath.Join(compiled.dir, "dbtasks")
		if runtime.GOOS == "windows" {
			compiled.path += ".exe"
		}
		if out, err := mage(t, otherModule(t, ""), "-compile", compiled.path); err != nil {
			compiled.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if compiled.err != nil {
		t.Fatal(compiled.err)
	}
	return compiled.path
}

// outcome of one run of the compiled runbook.
type outcome struct {
	code           int
	stdout, stderr string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", o.code, o.stdout, o.stderr)
}

// runIn runs the compiled runbook in a folder with these settings.
func runIn(t *testing.T, dir string, env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Dir = dir
	cmd.Env = append(append(withoutSettings(os.Environ()), "XDG_STATE_HOME="+filepath.Join(compiled.dir, "state")), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return outcome{exitCode(cmd.Run()), stdout.String(), stderr.String()}
}
