package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// command is the engine's program at the endpoint that was looked at.
func (e *Engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.Program, args...)
	cmd.WaitDelay = time.Second
	if e.Endpoint != "" {
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "DOCKER_CONTEXT=") || strings.HasPrefix(v, "DOCKER_HOST=")
		}), "DOCKER_HOST="+e.Endpoint)
	}
	return cmd
}

// run is what the program prints, without blanks around it.
func (e *Engine) run(ctx context.Context, in io.Reader, args ...string) (string, error) {
	cmd := e.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", e.Program, args[0], meaning(ctx, err, errs.String()))
	}
	return strings.TrimSpace(out.String()), err
}

// meaning is a program's failure in its own words, by what it means.
func meaning(ctx context.Context, err error, stderr string) error {
	words := lastWords(stderr)
	lower := strings.ToLower(words)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(lower, part) })
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ErrSilent
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &exit):
		return err
	case has("permission denied while trying to connect", "connect: permission denied"):
		return fmt.Errorf("%w: %s", ErrDenied, words)
	case has("cannot connect to the docker daemon", "failed to connect to the docker api", "unable to connect to podman", "connection refused"):
		return fmt.Errorf("%w: %s", ErrDown, words)
	case has("no such container", "no such object", "no container with name or id"):
		return fmt.Errorf("%w: %s", ErrGone, words)
	}
	if words == "" {
		words = err.Error()
	}
	return &FailedError{exit.ExitCode(), words}
}

// wordsWidth is how many characters of a program's complaint people get to see.
const wordsWidth = 300

// lastWords is the end of what a program complains of, on one line, fit for a
// terminal; the hint at its manual is left out.
func lastWords(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, "See '") && !strings.Contains(line, " --help' for more information") {
			lines = append(lines, line)
		}
	}
	words := strings.Join(lines[max(0, len(lines)-3):], "; ")
	if runes := []rune(words); len(runes) > wordsWidth {
		words = string(runes[:wordsWidth-1]) + "…"
	}
	return plain.Line(words)
}
