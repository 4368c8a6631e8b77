//go:build unix

package plainfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestReadWaitsForNothingAndReadsNothingWithoutAnEnd(t *testing.T) {
	dir := t.TempDir()
	pipe, long, sparse := filepath.Join(dir, "pipe"), filepath.Join(dir, "long"), filepath.Join(dir, "sparse")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(long, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 1<<40); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		pipe: ErrNotRegular, long: ErrTooLong, sparse: ErrTooLong, "/dev/zero": ErrNotRegular, dir: ErrNotRegular,
		filepath.Join(dir, "none"): fs.ErrNotExist,
	} {
		done := make(chan error, 1)
		go func() { _, err := Read(path, 10); done <- err }()
		select {
		case err := <-done:
			if !errors.Is(err, want) {
				t.Errorf("Read(%s) is %v, want %v", path, err, want)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("Read(%s) still waits after 20 s", path)
		}
	}
}

func TestReadFollowsALinkAndDropsTheByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "real"), []byte("\ufeff{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	text, err := Read(filepath.Join(dir, "link"), 10)
	if err != nil || string(text) != "{}" {
		t.Errorf("Read is %q, %v", text, err)
	}
}
