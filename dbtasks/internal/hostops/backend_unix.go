//go:build unix

package hostops

import "syscall"

// TerminateBackend sends SIGTERM, what pg_terminate_backend sends, to one
// backend of a server: where parent, start time and title are, at this moment,
// what the plan saw. It never sends anything else.
func TerminateBackend(backend Process, postmaster Identity) error {
	same := func() error {
		now, err := look(backend.PID)
		if err != nil || now.Identity != backend.Identity || now.PPID != postmaster.PID || now.Title() != backend.Title() || Gone(postmaster) {
			return ErrChanged
		}
		return nil
	}
	return deliver(backend.PID, same, syscall.SIGTERM)
}
