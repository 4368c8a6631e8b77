package hostops

import (
	"fmt"
	"os"
)

// send ends the process at once: Windows has no signal that asks a console
// program of another process group to go by itself. The handle is opened
// before the check and keeps the pid from being used again.
func send(id Identity, signal string) error {
	p, err := os.FindProcess(id.PID)
	if err != nil {
		return errNoProcess(id.PID)
	}
	defer func() { _ = p.Release() }()
	if err := stillThat(id); err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("end process %d (%s): %w", id.PID, signal, err)
	}
	return nil
}
