//go:build unix

package pgserver

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// setDetached gives a command a session of its own: Ctrl+C and a closed
// terminal do not reach it.
func setDetached(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}

// fastStop asks a postmaster for a fast shutdown: sessions are ended, nothing
// is lost (https://www.postgresql.org/docs/current/server-shutdown.html). One
// that was frozen has to go on to hear it.
func fastStop(_ string, pid int) { send(pid, syscall.SIGINT) }

// immediateStop asks it to leave without a checkpoint. Only ever for a server
// whose data is thrown away.
func immediateStop(_ string, pid int) { send(pid, syscall.SIGQUIT) }

func send(pid int, sig syscall.Signal) {
	_ = syscall.Kill(pid, sig)
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// outliveReader: writing to a pipe that nobody reads is an error, not the end.
// A handler and not Ignore, which children would inherit.
func outliveReader() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
