package runbook

import (
	"context"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// poolerWatch holds a login at PgBouncer's console from look to look. It
// takes no session of the server.
type poolerWatch struct {
	console *pgops.Console   // nil: none answered, or it was lost
	machine *machine.Machine // when the console was asked for
	askedAt time.Time
	closed  *Bouncer // what is told without a console; nil: there is no PgBouncer
}

// consolePause is how often a console is asked for that tells nothing.
const consolePause = 30 * time.Second

// lookAtPooler is what the console tells now; nil where there is no PgBouncer.
func (w *Watch) lookAtPooler(ctx context.Context) *Bouncer {
	p := &w.pooler
	url, err := w.rb.cfg.Database()
	if err != nil || p.console == nil && time.Since(p.askedAt) < consolePause {
		return p.closed
	}
	ctx, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	if p.console == nil {
		p.askedAt, p.closed = time.Now(), nil
		if p.machine, err = machine.Look(ctx); err != nil || !(w.held != nil && w.held.pooled) && !poolerPossible(ctx, w.rb, p.machine) {
			return nil
		}
		p.console, err = openConsole(ctx, w.rb.pin(url), p.machine)
	}
	b := lookAtBouncer(ctx, w.rb.pin(url), p.machine, p.console, err)
	if p.console == nil {
		p.closed = b
	} else if b == nil || b.Closed != "" {
		p.close()
		p.askedAt = time.Time{} // it was restarted, perhaps
	}
	return b
}

func (p *poolerWatch) close() {
	if p.console != nil {
		p.console.Close(context.Background())
		p.console = nil
	}
}
