//go:build unix && !linux

package hostops

import "syscall"

func deliver(pid int, check func() error, signals ...syscall.Signal) error {
	return byPID(pid, check, signals...)
}
