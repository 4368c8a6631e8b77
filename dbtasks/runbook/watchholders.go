package runbook

import (
	"context"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// holders names the holders of sessions look after look. Which process holds
// a connection does not change while the connection lives, so this machine is
// looked at again only for a session that is new, and now and then for what
// may change about the processes.
type holders struct {
	host  host
	at    time.Time // when host was looked at; zero: never
	known map[pgops.SessionID]bool
}

// holdersAge is how old what is told of the processes may be (folder, command,
// ports, stopped or not).
const holdersAge = 30 * time.Second

// of groups the sessions by holder. Where this machine can't be looked at they
// are grouped by what the server tells.
func (c *holders) of(ctx context.Context, root string, target Target, bouncer *Bouncer, sessions []pgops.Session) ([]Source, []WhoSession) {
	isNew := func(s pgops.Session) bool { return !c.known[s.ID()] }
	if time.Since(c.at) > holdersAge || slices.ContainsFunc(sessions, isNew) {
		if h, err := look(ctx, sessions); err == nil {
			c.host, c.at = h, time.Now()
		}
		c.known = make(map[pgops.SessionID]bool, len(sessions))
		for _, s := range sessions {
			c.known[s.ID()] = true
		}
	}
	if c.host.table == nil {
		return nil, nil
	}
	c.host.bouncer = bouncer
	r := WhoReport{Target: target}
	r.fill(c.host, root, sessions)
	return r.Sources, r.Sessions
}
