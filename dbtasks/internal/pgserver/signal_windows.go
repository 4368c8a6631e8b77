package pgserver

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

func setDetached(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW
}

// Windows has no signals: pg_ctl speaks to the postmaster through its pipe.
func fastStop(bin string, pid int) { pgKill(bin, "INT", pid) }

func immediateStop(bin string, pid int) { pgKill(bin, "QUIT", pid) }

func pgKill(bin, sig string, pid int) {
	_ = exec.Command(filepath.Join(bin, "pg_ctl.exe"), "kill", sig, strconv.Itoa(pid)).Run()
}

func outliveReader() {}
