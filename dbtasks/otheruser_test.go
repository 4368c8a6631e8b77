//go:build unix

package dbtasks

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// nobody is an account that is neither root nor the server's.
const nobody = 65534

// asNobody runs the compiled runbook as another user than the server's.
func asNobody(t *testing.T, dir string, env []string, args ...string) outcome {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return outcome{exitCode(cmd.Run()), stdout.String(), stderr.String()}
}

func TestAnotherUserThanTheServersProvesItLocalButMayNotSignalIt(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can run it as another user")
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	if s.Account == "nobody" {
		t.Skip("the server itself runs as nobody here")
	}
	db := s.NewDatabase()
	dir, err := os.MkdirTemp("/tmp", "dbtasks-shop-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, path := range []string{dir, filepath.Dir(binary(t))} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"DATABASE_URL=" + db.URL("connection_limit=5")}
	db.Open(3, "leak")
	// The listener is hidden from nobody; the session proves the server local.
	o := asNobody(t, dir, env, "db:cleanup", "-json")
	var got struct {
		Ended  int
		Target struct {
			Local bool
			Proof string
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || o.code != 0 || got.Ended != 3 || !got.Target.Local || !strings.Contains(got.Target.Proof, "our own backend is process") {
		t.Errorf("%+v, %v, %s", got, err, o)
	}
	// No slot at all: it may not signal, says who holds them and what next.
	leak := pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=leak"), Sessions: 17, Dir: dir})
	for range 3 {
		pgtest.Connect(t, s.AdminURL("postgres"))
	}
	o = asNobody(t, dir, env, "db:cleanup")
	if o.code != 1 || !strings.Contains(o.stderr, "too many clients already") || !strings.Contains(o.stderr, "Next: ") {
		t.Error(o)
	}
	if o = asNobody(t, dir, env, "db:who"); o.code != 0 || !strings.Contains(o.stdout, "No slot is left; 20 connections") {
		t.Error(o)
	}
	if err := syscall.Kill(leak.PID, 0); err != nil {
		t.Errorf("the leaking process, root's, was ended: %v", err)
	}
}
