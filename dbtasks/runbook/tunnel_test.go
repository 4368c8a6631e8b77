//go:build unix

package runbook_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func init() {
	// Forwards a port of its own to the address of its argument.
	reexec.Register("forwarder", func(args []string) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 1
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
		for {
			in, err := l.Accept()
			if err != nil {
				return 1
			}
			out, err := net.Dial("tcp", args[0])
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	})
}

// forwarder runs this test binary under another program's name.
func forwarder(t *testing.T, name, to string) (port, pid int) {
	t.Helper()
	cmd := reexec.Command(ctx, "forwarder", to)
	path := filepath.Join(t.TempDir(), name)
	// Another process writes it: a child of a parallel test's would inherit the
	// descriptor from us, and what is open for writing can't be run (ETXTBSY).
	if out, err := exec.Command("cp", cmd.Path, path).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	cmd.Path, cmd.Args[0] = path, name
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if _, err := fmt.Fscan(bufio.NewReader(out), &port); err != nil {
		t.Fatal(err)
	}
	return port, cmd.Process.Pid
}

func TestNoNameOfAForwarderMakesTheServerBehindItLocal(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	for _, name := range []string{"ssh", "kubectl", "cloud-sql-proxy", "socat", "unheard-of", "docker-proxy", "com.docker.backend", "postgres"} {
		port, pid := forwarder(t, name, fmt.Sprintf("127.0.0.1:%d", s.Port))
		db.Open(1, "leak")
		url := strings.Replace(db.URL("connection_limit=5"), fmt.Sprintf(":%d/", s.Port), fmt.Sprintf(":%d/", port), 1)
		d := opened(t, t.TempDir(), "DATABASE_URL="+url)
		_, err := d.Cleanup(ctx, runbook.CleanupOptions{})
		d.Close()
		f := failure(t, err, "refused_remote", runbook.ExitRefused)
		if name != "postgres" && !strings.Contains(f.Message, fmt.Sprintf("%.15s (pid %d)", name, pid)) || !strings.Contains(f.Next, "-remote="+db.Name) {
			t.Errorf("%s: %s / %s", name, f.Message, f.Next)
		}
	}
}
