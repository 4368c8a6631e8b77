package engine

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// freeScript runs inside the container, in one shell: what it looked at is what
// it ends.
//
//go:embed free.sh
var freeScript string

// freePatience is how long it may take on an idle machine (patience); it takes
// 0.2 s.
const freePatience = 15 * time.Second

// FreeOptions say which sessions FreeSlots may end.
type FreeOptions struct {
	Role, Database string
	OnlyRole       bool  // only the role's own sessions, which its limit counts
	Port           int   // of the server in the container; 0: 5432
	Most           int   // how many; 0: 1
	PIDs           []int // none but these backends, by their pids in there; nil: any
}

// FreeSlots ends idle sessions of the database from inside the container, as the
// server's own account, and says how, one by one: over the local socket as a superuser,
// whose reserved slots may be free; where that gets no login, by SIGTERM to the
// oldest idle backends of the database, told by title, parent and start time, each
// looked at again before it. Through SQL, sessions that listen or hold advisory
// locks are spared; a title does not tell. It needs a shell in the image.
//
// ErrNoIdle: there is none to end. ErrNoServer, and the engine's errors.
func (c Container) FreeSlots(ctx context.Context, o FreeOptions) (how []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience(freePatience))
	defer cancel()
	server, err := c.Postmaster(ctx)
	if err != nil {
		return nil, err
	}
	only := ""
	if o.OnlyRole {
		only = "role"
	}
	if o.Port == 0 {
		o.Port = 5432
	}
	pids := make([]string, len(o.PIDs))
	for i, pid := range o.PIDs {
		pids[i] = strconv.Itoa(pid)
	}
	out, err := c.Exec(ctx, ExecOptions{User: server.User, Args: []string{
		"sh", "-c", freeScript, "sh", strconv.Itoa(server.PID), o.Role, o.Database, strconv.Itoa(o.Port), only, strconv.Itoa(max(1, o.Most)), strings.Join(pids, ","),
	}})
	switch {
	case err != nil:
		return nil, fmt.Errorf("free a slot in %s: %w", c, err)
	case out == "":
		return nil, fmt.Errorf("%w of database %q in %s", ErrNoIdle, o.Database, c)
	}
	return strings.Split(out, "\n"), nil
}
