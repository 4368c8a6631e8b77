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
//
// It is over when the command has ended, or when ready says so, if that is not
// nil: the command then ends by itself.
//
// A command that finishes is left to itself when ctx ends; every other is ended
// then, or when this process is, with what it has started.
func runRestart(ctx context.Context, cmd *exec.Cmd, out io.Writer, finishes bool, ready func() bool) error {
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
	start := cmd.Start
	var g *guarded
	if !finishes {
		if g, err = newGuarded(cmd); err != nil {
			return fmt.Errorf("%w: %w", ErrRestartFailed, err)
		}
		cmd, start = g.cmd, g.start
	}
	cmd.Stdout, cmd.Stderr = log, log
	err = start()
	_ = log.Close()
	if err != nil {
		return fmt.Errorf("%w: run the command: %w", ErrRestartFailed, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	shown := &tail{to: out}
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			_, _ = io.Copy(shown, reader)
			if ready != nil && ready() {
				return nil
			}
		case err := <-ended:
			_, _ = io.Copy(shown, reader)
			return restartError(err, shown.last)
		case <-ctx.Done():
			if g != nil {
				g.cut(ended)
			}
			return ctx.Err()
		}
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
