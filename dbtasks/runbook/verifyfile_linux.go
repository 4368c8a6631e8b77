package runbook

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// aloneWithin is how long is waited until nobody else has the file open.
const aloneWithin = time.Second

// alone takes a lease on the file (fcntl(2), F_SETLEASE): nobody else has it
// open, and whoever opens it waits until f is closed. False where the file
// system or the file's owner does not allow that, or somebody keeps it open.
func alone(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	for deadline := time.Now().Add(aloneWithin); ; {
		taken := errors.New("not tried")
		if err := raw.Control(func(fd uintptr) { _, taken = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_WRLCK) }); err != nil {
			return false
		}
		if taken == nil {
			return true
		}
		if !errors.Is(taken, unix.EAGAIN) || time.Now().After(deadline) {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
}
