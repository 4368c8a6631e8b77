package scaffold

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// newFile makes a file that has no name until appear gives it its own, so that
// whatever ends the run before leaves nothing of it. On a file system that has
// no files without a name, and where /proc does not lead to one, it has its
// name from the beginning.
func newFile(name string) (f *os.File, appear func() error, err error) {
	fd, err := unix.Open(filepath.Dir(name), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return namedFile(name)
	}
	self := fmt.Sprintf("/proc/self/fd/%d", fd)
	f = os.NewFile(uintptr(fd), name)
	if _, err := os.Stat(self); err != nil {
		_ = f.Close()
		return namedFile(name)
	}
	return f, func() error {
		if err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.LinkError{Op: "link", Old: "a new file", New: name, Err: err}
		}
		return nil
	}, nil
}

func namedFile(name string) (*os.File, func() error, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return f, func() error { return nil }, err
}
