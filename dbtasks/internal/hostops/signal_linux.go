package hostops

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// deliver sends through a pidfd: once it is open and the check has passed, the
// signals can't reach another process that got the same pid. Where there is no
// pidfd (before Linux 5.3, a sandbox, no descriptor left) they go by pid.
func deliver(pid int, check func() error, signals ...syscall.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return byPID(pid, check, signals...)
	}
	defer unix.Close(fd)
	if errors.Is(unix.PidfdSendSignal(fd, 0, nil, 0), unix.ENOSYS) {
		return byPID(pid, check, signals...)
	}
	return checked(pid, check, func(sig syscall.Signal) error { return unix.PidfdSendSignal(fd, sig, nil, 0) }, signals)
}
