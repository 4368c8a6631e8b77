package hostops

import (
	"fmt"
	"os"
)

// send ends the process at once: Windows has no signal that asks a console
// program of another process group to go by itself.
func send(id Identity, signal string) error {
	if now, err := look(id.PID); err != nil || now.Started != id.Started {
		return ErrOtherProcess
	}
	p, err := os.FindProcess(id.PID)
	if err != nil {
		return ErrOtherProcess
	}
	defer func() { _ = p.Release() }()
	if err := p.Kill(); err != nil {
		return fmt.Errorf("end process %d (%s): %w", id.PID, signal, err)
	}
	return nil
}
