//go:build unix

package runbook

import (
	"os/exec"
	"syscall"
)

// setOwnSession keeps the terminal's signals from a helper of our own.
func setOwnSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
