package runbook

import (
	"os/exec"
	"syscall"
)

// setOwnSession keeps the console's Ctrl+C from a helper of our own.
func setOwnSession(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
