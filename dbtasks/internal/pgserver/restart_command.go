package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// usersCommand runs the user's command through the shell, in our process
// group: sudo asks for its password on the terminal.
func usersCommand(command string) Command {
	argv := []string{"sh", "-c", command}
	if runtime.GOOS == "windows" {
		argv = []string{"cmd", "/C", command}
	}
	return Command{Argv: argv, Users: true}
}

// permitted tells, before anything is stopped, whether a user's command that
// begins with sudo can work where there is no terminal to ask for the password
// on. What else a command needs only the command knows.
func (c Command) permitted() error {
	line := c.Argv[len(c.Argv)-1]
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "sudo" || strings.ContainsAny(line, "|&;<>()$`\\\"'") || hasTerminal() {
		return nil
	}
	words = slices.DeleteFunc(words[1:], func(word string) bool { return word == "-n" })
	if strings.HasPrefix(words[0], "-") {
		return nil // an option: what it means is sudo's to say
	}
	if answer := sudoMay(words); !answer.may {
		return answer.manual("DBTASKS_RESTART_COMMAND begins with sudo, there is no terminal to ask on", words...)
	}
	return nil
}

// hasTerminal tells whether somebody can be asked for a password.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		_ = tty.Close()
	}
	return err == nil
}

// exec makes the command ready to run. One that is not the user's gets a
// session of its own: Ctrl+C and a closed terminal do not reach it, for half a
// restart leaves the server down.
func (c Command) exec() *exec.Cmd {
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	if !c.Users {
		cmd.SysProcAttr = c.account.attr()
		setDetached(cmd)
	}
	return cmd
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
		return fmt.Errorf("keep the command's output: %w", err)
	}
	reader, err := os.Open(log.Name())
	_ = os.Remove(log.Name()) // Windows does it below
	if err != nil {
		_ = log.Close()
		return fmt.Errorf("read the command's output: %w", err)
	}
	defer func() { _ = reader.Close(); _ = os.Remove(log.Name()) }()
	start := cmd.Start
	var g *guarded
	if !finishes {
		if g, err = newGuarded(cmd); err != nil {
			return fmt.Errorf("guard the command: %w", err)
		}
		cmd, start = g.cmd, g.start
	}
	cmd.Stdout, cmd.Stderr = log, log
	err = start()
	_ = log.Close()
	if err != nil {
		return fmt.Errorf("run the command: %w", err)
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
		return fmt.Errorf("the command ended with %s: %s", exit.ProcessState, lastLines(output, 5))
	}
	return err
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
