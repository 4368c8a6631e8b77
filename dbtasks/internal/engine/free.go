package engine

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"
)

// freeScript runs inside the container, in one shell: what it looked at is what
// it ends.
//
//go:embed free.sh
var freeScript string

// freePatience is how long it may take; it takes 0.2 s.
const freePatience = 15 * time.Second

// FreeOptions say which session FreeSlot may end.
type FreeOptions struct {
	Role, Database string
	OnlyRole       bool // only the role's own sessions, which its limit counts
	Port           int  // of the server in the container; 0: 5432
}

// FreeSlot ends one idle session of the database from inside the container, as
// the server's own account, and says how: over the local socket as a superuser,
// whose reserved slots may be free; where that gets no login, by SIGTERM to the
// oldest idle backend of the database, told by title, parent and start time, each
// looked at again before it. Through SQL, sessions that listen or hold advisory
// locks are spared; a title does not tell. It needs a shell in the image.
//
// ErrNoIdle: there is none to end. ErrNoServer, and the engine's errors.
func (c Container) FreeSlot(ctx context.Context, o FreeOptions) (how string, err error) {
	ctx, cancel := context.WithTimeout(ctx, freePatience)
	defer cancel()
	server, err := c.Postmaster(ctx)
	if err != nil {
		return "", err
	}
	only := ""
	if o.OnlyRole {
		only = "role"
	}
	if o.Port == 0 {
		o.Port = 5432
	}
	how, err = c.Exec(ctx, ExecOptions{User: server.User, Args: []string{
		"sh", "-c", freeScript, "sh", strconv.Itoa(server.PID), o.Role, o.Database, strconv.Itoa(o.Port), only,
	}})
	switch {
	case err != nil:
		return "", fmt.Errorf("free a slot in %s: %w", c, err)
	case how == "":
		return "", fmt.Errorf("%w of database %q in %s", ErrNoIdle, o.Database, c)
	}
	return how, nil
}
