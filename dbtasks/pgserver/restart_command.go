package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// planCommand runs the user's command through the shell, in our process group:
// sudo asks for its password on the terminal.
func planCommand(command string) Restart {
	return Restart{Kind: RestartByCommand, Evidence: "DBTASKS_RESTART_COMMAND", line: masked(command), prepare: func() *exec.Cmd {
		if runtime.GOOS == "windows" {
			return exec.Command("cmd", "/C", command)
		}
		return exec.Command("sh", "-c", command)
	}}
}

// runRestart runs a command without standard input and shows its output as it
// comes. The output goes through a file and not a pipe: the new postmaster
// inherits it, and would keep a pipe, and with it us, for its whole life.
func runRestart(ctx context.Context, cmd *exec.Cmd, out io.Writer, interrupt bool) error {
	log, err := os.CreateTemp("", "dbtasks-restart-")
	if err != nil {
		return fmt.Errorf("%w: keep the command's output: %w", ErrRestartFailed, err)
	}
	reader, err := os.Open(log.Name())
	_ = os.Remove(log.Name()) // Windows does it below
	if err != nil {
		_ = log.Close()
		return fmt.Errorf("%w: read the command's output: %w", ErrRestartFailed, err)
	}
	defer func() { _ = reader.Close(); _ = os.Remove(log.Name()) }()
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Start()
	_ = log.Close()
	if err != nil {
		return fmt.Errorf("%w: run the command: %w", ErrRestartFailed, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	shown := &tail{to: out}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for over := ctx.Done(); ; {
		select {
		case <-poll.C:
			_, _ = io.Copy(shown, reader)
		case err := <-ended:
			_, _ = io.Copy(shown, reader)
			return restartError(err, shown.last)
		case <-over:
			if !interrupt {
				return ctx.Err()
			}
			over = nil
			_ = cmd.Process.Signal(os.Interrupt) // not known to Windows: then Kill follows at once
			if !waitFor(ended, interruptGrace) {
				_ = cmd.Process.Kill()
			}
			return ctx.Err()
		}
	}
}

// interruptGrace is what an interrupted command gets to end; Mage gives its
// targets 5 s in all.
const interruptGrace = 2 * time.Second

func waitFor(ended <-chan error, patience time.Duration) bool {
	if runtime.GOOS == "windows" {
		patience = 0
	}
	select {
	case <-ended:
		return true
	case <-time.After(patience):
		return false
	}
}

func restartError(err error, output string) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return fmt.Errorf("%w: the command ended with %s: %s", ErrRestartFailed, exit.ProcessState, lastLines(output, 5))
	}
	return fmt.Errorf("%w: %w", ErrRestartFailed, err)
}

// tail passes everything on and keeps the end.
type tail struct {
	to   io.Writer
	last string
}

func (t *tail) Write(p []byte) (int, error) {
	t.last += string(p)
	t.last = t.last[max(0, len(t.last)-4096):]
	return t.to.Write(p)
}
