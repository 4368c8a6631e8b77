package runbook

import (
	"context"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// holders names the holders of sessions look after look. Which process holds
// a connection does not change while the connection lives, so this machine is
// looked at again only for a session that is new, and now and then for what
// may change about the processes.
type holders struct {
	machine *machine.Machine // nil: never looked at
	known   map[pgops.SessionID]bool
}

// holdersAge is how old what is told of the processes may be (folder, command,
// ports, stopped or not).
const holdersAge = 30 * time.Second

// of groups the sessions by holder. Where this machine can't be looked at they
// are grouped by what the server tells.
func (c *holders) of(ctx context.Context, rb *Runbook, a *access, bouncer *Bouncer, sessions []pgops.Session) ([]Source, []WhoSession) {
	isNew := func(s pgops.Session) bool { return !c.known[s.ID()] }
	if c.machine == nil || time.Since(c.machine.At) > holdersAge || slices.ContainsFunc(sessions, isNew) {
		if m, err := machine.Look(ctx); err == nil {
			c.machine = m
		}
		c.known = make(map[pgops.SessionID]bool, len(sessions))
		for _, s := range sessions {
			c.known[s.ID()] = true
		}
	}
	if c.machine == nil {
		return nil, nil
	}
	sc := scene{Machine: c.machine, srv: a.on(ctx, c.machine), root: rb.cfg.Root, bouncer: bouncer}
	var r WhoReport
	r.fill(ctx, sc, sessions)
	return r.Sources, r.Sessions
}
