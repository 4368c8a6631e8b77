package runbook

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// CheckOptions are what dev:check is called with.
type CheckOptions struct {
	// Settings is why the settings could not be loaded; deps.Config then has
	// only the project's root. Nil: they were.
	Settings error
}

// askTimeout bounds how long dev:check waits for the server, which it can do without.
const askTimeout = 2 * time.Second

// Check goes through the prevention checklist over the project's own files. The
// server is asked for its slots when it answers within 2 s; the rest needs none.
func Check(ctx context.Context, deps *Deps, o CheckOptions) (checklist.Report, error) {
	usable, why := usableSlots(ctx, deps, o.Settings)
	return checklist.Check(ctx, checklist.Options{Config: deps.Config, Settings: o.Settings, Usable: usable, NoServer: why, Cores: runtime.NumCPU()})
}

// usableSlots is how many sessions the server can give to the URL's role, and
// why that is not known where it is 0.
func usableSlots(ctx context.Context, deps *Deps, settings error) (usable int, why string) {
	const noURL = "without a working DATABASE_URL the server can't be asked"
	if settings != nil {
		return 0, noURL
	}
	url, err := deps.Config.Database()
	if err != nil {
		return 0, noURL
	}
	if err := deps.Connect(); err != nil {
		return 0, noURL
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c, err := deps.Pool.Acquire(ctx)
	if err != nil {
		return 0, "the server at " + where(deps.Pool.URL()) + " did not let us in: " + strings.ReplaceAll(string(pgops.CauseOf(err)), "_", " ")
	}
	defer c.Release()
	server, err := pgops.Ask(ctx, c.Conn())
	if err != nil {
		return 0, "the server at " + where(deps.Pool.URL()) + " did not answer"
	}
	return usableBy(url, server), ""
}
