//go:build unix

package hostops

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// eventually polls until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

// start runs a command until the test ends, and reaps it in the background.
func start(t testing.TB, cmd *exec.Cmd) Process {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	var p Process
	eventually(t, "it has its command line", func() bool { // empty for a moment after exec
		var err error
		p, err = Find(cmd.Process.Pid)
		return err == nil && len(p.Args) > 0
	})
	return p
}

// stubborn starts a process that survives TERM, and writes a line for each.
func stubborn(t *testing.T) (Process, io.Reader) {
	t.Helper()
	cmd := reexec.Command(context.Background(), "stubborn")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	if line, err := readLine(out); err != nil || line != "ready" {
		t.Fatalf("%q, %v", line, err)
	}
	return p, out
}

// childOf reads a child's pid from its parent's output, and ends it with the test.
func childOf(t *testing.T, out io.Reader) Process {
	t.Helper()
	line, err := readLine(out)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Find(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = send(p.Identity, "KILL") })
	return p
}

// readLine reads byte by byte, so that nothing of the next line is lost.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil || b[0] == '\n' {
			return string(line), err
		}
		line = append(line, b[0])
	}
}

// copyOfSleep is a program that sleeps, under another name.
func copyOfSleep(t *testing.T, name string) string {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	// Not written by this process: a fork of another test would hold the file
	// open for writing, and it could not be run then (ETXTBSY).
	if out, err := exec.Command("cp", sleep, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
