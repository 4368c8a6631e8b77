package pgserver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// freeScript runs inside the container, in one shell: what it looked at is what
// it ends.
//
//go:embed container_free.sh
var freeScript string

// FreeSlot ends one idle session of the database inside the container, as the
// container's account postgres, and says how: over the local socket, where the
// superuser's reserved slots are; with none of them left, by SIGTERM to one idle
// backend of this very role and database, told by its title (cluster_name unset,
// as the images have it), title and start time checked again before it.
// ErrNoContainer with the engine's words when it can't get in, ErrNoIdle when
// there is none to end.
func (c Container) FreeSlot(ctx context.Context, role, database string, onlyRole bool) (how string, err error) {
	only, titles := "", "titles"
	if onlyRole {
		only = "role"
	}
	if c.hostPIDs {
		titles = "" // the processes that it sees are not its own alone
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Engine, "exec", "-u", "postgres", c.ID, "sh", "-c", freeScript, "sh", role, database, strconv.Itoa(c.Port), only, titles)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	words := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	switch {
	case err != nil && errors.As(err, &exit):
		return "", fmt.Errorf("%w: %s exec in %s: %s", ErrNoContainer, c.Engine, c.Name, lastLines(string(exit.Stderr), 2))
	case err != nil:
		return "", fmt.Errorf("%w: %s exec in %s: %w", ErrNoContainer, c.Engine, c.Name, err)
	case words == "":
		return "", fmt.Errorf("%w of database %q in %s", ErrNoIdle, database, c)
	}
	return words, nil
}
