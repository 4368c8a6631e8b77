package runbook_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	systemdtest.Stop()
	for _, tidy := range afterTests {
		tidy()
	}
	os.Exit(code)
}

// afterTests are run when all tests of the package are over.
var afterTests []func()

var ctx = context.Background()

// opened is the engine with the settings of a project in root, from these lines of environment
// and what the machine needs (PATH, HOME).
func opened(t *testing.T, root string, env ...string) *runbook.Runbook {
	t.Helper()
	return openedSaying(t, &strings.Builder{}, root, env...)
}

// openedSaying is opened with its progress.
func openedSaying(t *testing.T, progress io.Writer, root string, env ...string) *runbook.Runbook {
	t.Helper()
	for _, name := range []string{"PATH", "HOME"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	d, err := runbook.OpenWith(root, runbook.OpenOptions{Environ: env, Progress: progress})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// failure asserts that err is a Failure with this code and exit status.
func failure(t *testing.T, err error, code string, exit int) *runbook.Failure {
	t.Helper()
	var f *runbook.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v, want a failure %s", err, code)
	}
	if f.Code != code || f.Exit != exit {
		t.Fatalf("failure %s, exit %d (%s), want %s, exit %d", f.Code, f.Exit, f.Message, code, exit)
	}
	if f.Next == "" {
		t.Errorf("failure %s names no next step", code)
	}
	return f
}

// syncBuilder is a writer that may be read while it is written to.
type syncBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
