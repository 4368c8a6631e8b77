package server

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
)

// freeScript runs inside the container, in one shell: what it looked at is what
// it ends.
//
//go:embed freeslot.sh
var freeScript string

// Why no slot was freed in a container.
var (
	// ErrNoDoor: the container's engine is not this user's to use, or its image
	// has no shell.
	ErrNoDoor = errors.New("no way into the container")
	// ErrNoIdle: no idle session of the database is there to be ended.
	ErrNoIdle = errors.New("no idle session")
)

// freePatience bounds one call: two programs in the container.
const freePatience = 5 * time.Second

// FreeSlots ends n idle sessions of the database inside the server's container,
// fewer where there are no more, as the account that the server runs as there,
// and says how, one by one: over the local socket, where the superuser's reserved
// slots are; with none of them left, or where the socket wants a password, by
// SIGTERM to idle backends of this very role and database, told by their titles
// and looked at again before it.
func (s *Server) FreeSlots(ctx context.Context, n int, role, database string, onlyRole bool) (how []string, err error) {
	c := s.Container
	if c == nil {
		return nil, fmt.Errorf("%w: which one it is could not be told", ErrNoDoor)
	}
	ctx, cancel := context.WithTimeout(ctx, freePatience)
	defer cancel()
	if s.inside == "" {
		p, err := c.Postmaster(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoDoor, err)
		}
		s.inside = p.User
	}
	only, titles := "", "titles"
	if onlyRole {
		only = "role"
	}
	if c.HostPIDs {
		titles = "" // the processes that it sees are not its own alone
	}
	out, err := c.Exec(ctx, engine.ExecOptions{User: s.inside, Args: []string{"sh", "-c", freeScript, "sh", role, database, strconv.Itoa(s.insidePort()), only, titles, strconv.Itoa(n)}})
	switch words := strings.TrimSpace(out); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoDoor, err)
	case words == "":
		return nil, fmt.Errorf("%w of database %q in %s", ErrNoIdle, database, c)
	default:
		return strings.Split(words, "\n"), nil
	}
}

// insidePort is the server's port in its container.
func (s *Server) insidePort() int {
	if port := s.Container.PortAt(s.Address.TCP); port != 0 {
		return port
	}
	return s.Address.Port()
}
