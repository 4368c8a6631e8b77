package engine

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed account.sh
var accountScript string

// Postmaster is a container's PostgreSQL server as the container sees it.
type Postmaster struct {
	PID  int    // in there
	User string // "uid:gid" in there, for Exec
}

// Postmaster finds the server in the container: images run it as an account of
// any name, and not always as their first process. It needs a shell in there.
// ErrNoServer where there is none or more than one.
func (c Container) Postmaster(ctx context.Context) (Postmaster, error) {
	others := ""
	if c.HostPIDs {
		others = "yes"
	}
	text, err := c.Exec(ctx, ExecOptions{User: "0", Args: []string{"sh", "-c", accountScript, "sh", others}})
	if err != nil {
		return Postmaster{}, fmt.Errorf("look for the server in %s: %w", c, err)
	}
	var p Postmaster
	var uid, gid int
	if lines := strings.Split(text, "\n"); len(lines) == 1 {
		if n, err := fmt.Sscan(lines[0], &p.PID, &uid, &gid); err == nil && n == 3 {
			p.User = fmt.Sprintf("%d:%d", uid, gid)
			return p, nil
		}
	}
	return Postmaster{}, fmt.Errorf("%w: %s", ErrNoServer, c)
}
