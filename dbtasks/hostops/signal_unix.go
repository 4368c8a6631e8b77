//go:build unix

package hostops

import (
	"errors"
	"fmt"
	"syscall"
)

func signals(name string) []syscall.Signal {
	if name == "KILL" {
		return []syscall.Signal{syscall.SIGKILL}
	}
	return []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT}
}

// sendByPID compares the start time right before the signal; between the two
// lies no more than a system call.
func sendByPID(id Identity, signal string) error {
	if now, err := look(id.PID); err != nil || now.Started != id.Started {
		return ErrOtherProcess
	}
	for _, sig := range signals(signal) {
		if err := syscall.Kill(id.PID, sig); errors.Is(err, syscall.ESRCH) {
			return ErrOtherProcess
		} else if err != nil {
			return fmt.Errorf("send %s to process %d: %w", signal, id.PID, err)
		}
	}
	return nil
}
