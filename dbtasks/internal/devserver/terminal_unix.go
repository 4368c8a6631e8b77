//go:build unix

package devserver

import (
	"os"

	"golang.org/x/sys/unix"
)

// keepTerminal remembers the terminal's settings; the returned function puts
// them back, as a dev server that is killed while it reads single keys leaves
// the terminal without echo. Not when another job has the terminal by then:
// changing it from the background would stop us (SIGTTOU).
func keepTerminal(f *os.File) (restore func()) {
	fd := int(f.Fd())
	was, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {} // no terminal
	}
	return func() {
		if front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && front == unix.Getpgrp() {
			_ = unix.IoctlSetTermios(fd, setTermios, was)
		}
	}
}
