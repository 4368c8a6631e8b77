//go:build unix && !linux

package hostops

import "syscall"

func groupOf(pid int) int {
	pgid, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return pgid
}
