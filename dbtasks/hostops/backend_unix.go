//go:build unix

package hostops

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrChanged: the process is not any more what the plan says.
var ErrChanged = errors.New("it is not the same process, parent or title any more")

// TerminateBackend sends SIGTERM, what pg_terminate_backend sends, to one
// backend of a server: where parent, start time and title are, at this moment,
// what the plan saw. It never sends anything else.
func TerminateBackend(backend Process, postmaster Identity) error {
	now, err := look(backend.PID)
	if err != nil || now.Started != backend.Started || now.PPID != postmaster.PID || now.Title() != backend.Title() || Gone(postmaster) {
		return ErrChanged
	}
	if err := syscall.Kill(backend.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("send SIGTERM to backend %d: %w", backend.PID, err)
	}
	return nil
}
