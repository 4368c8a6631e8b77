//go:build unix

package hostops

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// send sends KILL, or TERM with CONT behind it, so that a frozen process gets
// to it. Its error is ErrOtherProcess or fs.ErrNotExist where the pid is not
// this process's any more.
func send(id Identity, signal string) error {
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT}
	if signal == "KILL" {
		signals = []syscall.Signal{syscall.SIGKILL}
	}
	return deliver(id.PID, func() error { return stillThat(id) }, signals...)
}

// byPID checks and sends; between the two lies no more than a system call.
func byPID(pid int, check func() error, signals ...syscall.Signal) error {
	return checked(pid, check, func(sig syscall.Signal) error { return syscall.Kill(pid, sig) }, signals)
}

// checked sends the signals once the check has passed. What ended from the
// first of them needs no second.
func checked(pid int, check func() error, send func(syscall.Signal) error, signals []syscall.Signal) error {
	if err := check(); err != nil {
		return err
	}
	for i, sig := range signals {
		switch err := send(sig); {
		case errors.Is(err, syscall.ESRCH) && i > 0:
			return nil
		case errors.Is(err, syscall.ESRCH):
			return fmt.Errorf("send %s to process %d: %w", sig, pid, fs.ErrNotExist)
		case err != nil:
			return fmt.Errorf("send %s to process %d: %w", sig, pid, err)
		}
	}
	return nil
}
