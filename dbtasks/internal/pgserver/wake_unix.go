//go:build unix

package pgserver

import (
	"fmt"
	"syscall"

	"github.com/shirou/gopsutil/v4/process"
)

// wake lets a frozen server (SIGSTOP, Ctrl+Z) go on, its processes included: a
// stopped one hears no request to stop. To one that runs the signal is nothing,
// and a stop that is only on its way is taken back. Its identity was checked against
// postmaster.pid right before; that it works in its data directory says that
// the pid is still a server's.
func wake(pm Postmaster) error {
	p, err := process.NewProcess(int32(pm.PID))
	if err != nil || !worksIn(pm.PID, pm.DataDir) {
		return fmt.Errorf("%w: process %d is not the server of %s", ErrServerChanged, pm.PID, pm.DataDir)
	}
	family, _ := p.Children() // none is an error there
	for _, one := range append(family, p) {
		if err := syscall.Kill(int(one.Pid), syscall.SIGCONT); err != nil && one == p {
			return fmt.Errorf("%w: let the frozen process %d go on: %w", ErrRestartFailed, pm.PID, err)
		}
	}
	return nil
}
