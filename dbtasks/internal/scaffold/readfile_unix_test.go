//go:build unix

package scaffold

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

func TestAPipeInTheProjectIsRefusedAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "package.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := readFile(pipe); done <- err }()
	select {
	case err := <-done:
		if !errors.Is(err, plainfile.ErrNotRegular) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for somebody to write to a pipe")
	}
}
