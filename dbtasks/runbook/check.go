package runbook

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// CheckOptions are the flags of dev:check: none yet.
type CheckOptions struct{}

// askTimeout bounds how long dev:check waits for the server, which it can do without.
const askTimeout = 2 * time.Second

// Check goes through the prevention checklist over the project's own files. The
// server is asked for its slots when it answers within 2 s; the rest needs none.
func (rb *Runbook) Check(ctx context.Context, _ CheckOptions) (CheckReport, error) {
	usable, why := usableSlots(ctx, rb, rb.unset)
	return checklist.Check(ctx, checklist.Options{Config: rb.cfg, Settings: rb.unset, Usable: usable, NoServer: why, Cores: runtime.NumCPU()})
}

// usableSlots is how many sessions the server can give to the URL's role, and
// why that is not known where it is 0.
func usableSlots(ctx context.Context, rb *Runbook, settings error) (usable int, why string) {
	const noURL = "without a working DATABASE_URL the server can't be asked"
	if settings != nil {
		return 0, noURL
	}
	url, err := rb.cfg.Database()
	if err != nil {
		return 0, noURL
	}
	if err := rb.connectLimited(); err != nil {
		return 0, noURL
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c, err := rb.pool.Acquire(ctx)
	if err != nil {
		return 0, "the server at " + where(rb.pool.URL()) + " did not let us in: " + strings.ReplaceAll(string(pgops.CauseOf(err)), "_", " ")
	}
	defer c.Release()
	server, err := pgops.Ask(ctx, c.Conn())
	if err != nil {
		return 0, "the server at " + where(rb.pool.URL()) + " did not answer"
	}
	return usableBy(url, server), ""
}
