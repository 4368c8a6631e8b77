//go:build unix

package runbook_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// pglite serves PGlite from npm on a free port until the test ends, as
// `prisma dev` does.
func pglite(t *testing.T) (dir string, port int) {
	t.Helper()
	dir, port = t.TempDir(), pgtest.FreePort(t)
	files := map[string]string{
		"package.json": `{"name":"shop","private":true,"type":"module"}`,
		"serve.js": `import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
const server = new PGLiteSocketServer({ db: await PGlite.create(), host: '127.0.0.1', port: Number(process.argv[2]) });
await server.start();
console.log('ready');
process.stdin.resume().on('end', () => process.exit());
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "@electric-sql/pglite@0.5", "@electric-sql/pglite-socket@latest")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("PGlite can't be installed from npm: %v: %s", err, out)
		}
		t.Skipf("PGlite can't be installed from npm: %v: %s", err, out)
	}
	serve := exec.Command("node", "serve.js", fmt.Sprint(port))
	serve.Dir, serve.Stderr = dir, os.Stderr
	in, err := serve.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = serve.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("PGlite said %q (%v)", line, err)
	}
	return dir, port
}

func TestPGliteIsNamedAsWhatItIs(t *testing.T) {
	t.Parallel()
	dir, port := pglite(t)
	url := fmt.Sprintf("postgresql://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	d := opened(t, dir, "DATABASE_URL="+url+"&connection_limit=1")
	r, err := d.Test(ctx, runbook.TestOptions{})
	if err != nil || !r.PGlite || r.Free != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if c, err := d.Cleanup(ctx, runbook.CleanupOptions{Force: true}); err != nil || !c.OK || !c.PGlite || c.Ended != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	// The pool holds the one connection.
	other := opened(t, dir, "DATABASE_URL="+url+"&connection_limit=1")
	f := failure(t, second(other.Test(ctx, runbook.TestOptions{})), "pglite_busy", runbook.ExitNotDone)
	if !strings.Contains(f.Message, "its one connection is taken") || !strings.Contains(f.Message, "PGlite") {
		t.Errorf("%s", f.Message)
	}
	if r, err := d.Cleanup(ctx, runbook.CleanupOptions{}); err != nil || !r.PGlite {
		t.Errorf("the one connection was cut: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
