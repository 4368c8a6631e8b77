package hostops

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// send sends TERM (and CONT behind it, so that a frozen process gets to it) or
// KILL through a pidfd: once it is open and the start time compared, the
// signal can't reach another process that got the same pid.
func send(id Identity, signal string) error {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return sendByPID(id, signal) // before Linux 5.3, or a sandbox
	}
	if err != nil {
		return ErrOtherProcess
	}
	defer unix.Close(fd)
	if now, err := look(id.PID); err != nil || now.Started != id.Started {
		return ErrOtherProcess
	}
	for _, sig := range signals(signal) {
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); errors.Is(err, unix.ESRCH) {
			return ErrOtherProcess
		} else if err != nil {
			return fmt.Errorf("send %s to process %d: %w", signal, id.PID, err)
		}
	}
	return nil
}
