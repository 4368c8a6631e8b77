//go:build unix

package scaffold

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// reload is a program that evaluates the client module anew for each line that
// it reads, as hot reload does, and answers with 40 queries at once.
const reload = `
import { createInterface } from 'node:readline';
let n = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'done') break;
  const { pool } = await import('./lib/db.js?' + n++);
  await Promise.all(Array.from({ length: 40 }, () => pool.query('SELECT pg_sleep(0.01)')));
  console.log('answered');
}
`

// nodeProject is the plain JavaScript project with node-postgres installed from
// npm and dev:init applied, its .env pointing at a database.
func nodeProject(t *testing.T, url string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not here")
		}
	}
	root := unpack(t, "vite-pg-js")
	put(t, root, "package.json", `{"type":"module","dependencies":{"pg":"8"},"devDependencies":{"vite":"8"}}`)
	put(t, root, ".env", "DATABASE_URL="+url+"\n")
	put(t, root, "reload.js", reload)
	applied(t, root)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	npm.Dir = root
	if out, err := npm.CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("npm can't install node-postgres: %v: %s", err, out))
	}
	return root
}

// missing skips, but never in CI: skipped tests would pass.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// node is one run of a program of the project.
type node struct {
	*exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	said *said
	wait func() error // for its end; any number of times
}

// said takes standard error while it is written to.
type said struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func startNode(t *testing.T, root, program string) *node {
	t.Helper()
	n := &node{Cmd: exec.Command("node", program), said: &said{}}
	n.wait = sync.OnceValue(n.Wait)
	n.Dir, n.Stderr = root, n.said
	var err error
	if n.in, err = n.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.out = bufio.NewScanner(out)
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Process.Kill(); _ = n.wait() })
	return n
}

func (n *node) reload(t *testing.T) {
	t.Helper()
	fmt.Fprintln(n.in, "reload")
	if !n.out.Scan() {
		t.Fatalf("no answer: %s", n.said)
	}
}

func (n *node) ended(t *testing.T) *os.ProcessState {
	t.Helper()
	done := make(chan struct{})
	go func() { _ = n.wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	return n.ProcessState
}

func TestTheWrittenPoolStaysWithinItsLimitOverReloadsAndEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	root := nodeProject(t, db.URL("connection_limit=3"))

	n := startNode(t, root, "reload.js")
	for i := range 5 {
		n.reload(t)
		if got := s.Sessions(db.Name); got < 1 || got > 3 {
			t.Errorf("after reload %d: %d sessions, the limit is 3", i+1, got)
		}
	}

	held := s.Sessions(db.Name)
	s.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + db.Name + "'")
	// Each: a query over one that the pool does not know to be gone yet fails.
	pgtest.Eventually(t, 5*time.Second, "the pool's listener says of each of its connections that it was ended", func() bool {
		return strings.Count(n.said.String(), "PostgreSQL ended an idle connection") == held
	})
	n.reload(t) // with new connections

	fmt.Fprintln(n.in, "done")
	_ = n.in.Close()
	if state := n.ended(t); state.ExitCode() != 0 {
		t.Errorf("at its own end: %v %s", state, n.said)
	}
	pgtest.Eventually(t, 5*time.Second, "no session is left", func() bool { return s.Sessions(db.Name) == 0 })

	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		n := startNode(t, root, "reload.js")
		n.reload(t)
		if err := n.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		// As without the module: the signal itself ends the process.
		if status, ok := n.ended(t).Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != signal {
			t.Errorf("%v: %v", signal, n.ProcessState)
		}
		pgtest.Eventually(t, 5*time.Second, "no session is left", func() bool { return s.Sessions(db.Name) == 0 })
	}
}

func TestALeakingModuleIsToldApartByTheSameProgram(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	root := nodeProject(t, db.URL("connection_limit=3"))
	put(t, root, filepath.Join("lib", "db.js"), "import pg from 'pg';\nprocess.loadEnvFile('.env');\nexport const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 3 });\n")
	n := startNode(t, root, "reload.js")
	for range 3 {
		n.reload(t)
	}
	if got := s.Sessions(db.Name); got != 9 {
		t.Errorf("%d sessions after 3 reloads with 3 each", got)
	}
	_ = n.Process.Kill()
	n.ended(t)
}
