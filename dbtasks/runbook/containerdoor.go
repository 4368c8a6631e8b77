package runbook

import (
	"context"
	"fmt"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// openInContainer is the third rung for a server in a container, whose
// processes are not ours to signal: one idle session after the other is ended
// from within, until a login gets the slot.
func openInContainer(ctx context.Context, deps *Deps, doors *reserved, cause pgops.Cause) (*access, string) {
	c, err := pgserver.FindContainer(doors.target.Listener.Name, doors.target.Port)
	if err != nil {
		return nil, err.Error()
	}
	url := deps.Pool.URL()
	freed := 0
	for ctx.Err() == nil {
		how, err := c.FreeSlot(ctx, url.User, url.Database, cause == pgops.CauseRoleLimit)
		if err == nil {
			freed++
			deps.progress("in %s: %s", c, how)
		}
		if a := seize(ctx, deps, doors); a != nil {
			return a.freedBy(freed), ""
		}
		if err != nil {
			return nil, fmt.Sprintf("%s (%d ended)", err, freed)
		}
	}
	return nil, fmt.Sprintf("%s: %d idle sessions ended inside, and each slot was taken again at once", c, freed)
}
