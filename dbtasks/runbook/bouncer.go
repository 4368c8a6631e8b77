package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Bouncer is the PgBouncer that DATABASE_URL leads to: its limits, and what is
// used of them.
type Bouncer struct {
	PID        int    `json:"pid,omitempty"`     // 0: not told: another machine's, or in a container
	Version    string `json:"version,omitempty"` // with all below: known only where its console lets us in
	Mode       string `json:"pool_mode,omitempty"`
	MaxClients int    `json:"max_client_conn"`
	Clients    int    `json:"clients"` // of all databases
	Waiting    int    `json:"waiting"` // of Clients, for a server connection
	WaitMS     int64  `json:"max_wait_ms"`
	PoolSize   int    `json:"pool_size"` // server connections for our role in our database at most
	Connected  int    `json:"servers"`   // of these, open
	Busy       int    `json:"servers_busy"`
	Paused     bool   `json:"paused"`   // PAUSE or KILL: everybody waits until RESUME
	Disabled   bool   `json:"disabled"` // DISABLE: logins are refused until ENABLE
	// Sources are who holds its client connections (db:who).
	Sources []Source `json:"sources,omitempty"`
	// Closed is why its console told nothing, in its own words.
	Closed string `json:"console,omitempty"`

	role    string
	port    int
	console pgops.PgBouncer
}

// consoleTimeout bounds everything that is asked of a pooler's console.
const consoleTimeout = time.Second

// poolerPossible tells whether DATABASE_URL may lead to a pooler, before
// anything is asked: a setting says so, or its program listens there.
func (h host) poolerPossible(ctx context.Context, deps *Deps) bool {
	url, err := deps.Config.Database()
	if err != nil {
		return false
	}
	if url.PgBouncer || deps.Pool.URL().Origin.Variable != url.Origin.Variable {
		return true
	}
	l := locateIn(ctx, h.sockets, url).Listener
	return l != nil && l.Kind == hostops.Pooler
}

// askBouncer logs in to the console and looks; nil where no PgBouncer answers
// at DATABASE_URL. It never takes longer than consoleTimeout, and never fails:
// what it adds is worth nobody's exit code.
func (h host) askBouncer(ctx context.Context, deps *Deps) *Bouncer {
	url, err := deps.Config.Database()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	console, err := openConsole(ctx, url)
	if err == nil {
		defer console.Close(ctx)
	}
	return h.lookAtBouncer(ctx, url, console, err)
}

// openConsole tries the URL's own role, and PgBouncer's way for its own
// account: the user pgbouncer over its Unix socket, without a password.
func openConsole(ctx context.Context, url *settings.URL) (*pgops.Console, error) {
	console, err := pgops.OpenConsole(ctx, url)
	if err == nil || !refusedByPooler(err) {
		return console, err
	}
	port := int(url.Hosts[0].Port)
	for _, dir := range hostops.SocketDirs(port) {
		if console, err := pgops.OpenConsole(ctx, url.As("pgbouncer", dir, port)); err == nil {
			return console, nil
		}
	}
	return nil, err
}

// refusedByPooler tells a pooler's own refusal from a server's, which names
// its place in PostgreSQL's source.
func refusedByPooler(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Routine == "" && pg.File == ""
}

// lookAtBouncer is what the console tells, or, where it was not opened, for
// the reason why, what can be told without.
func (h host) lookAtBouncer(ctx context.Context, url *settings.URL, console *pgops.Console, why error) *Bouncer {
	b := &Bouncer{role: url.User, port: int(url.Hosts[0].Port), PID: h.bouncerPID(ctx, url)}
	if console != nil {
		b.console, why = console.Look(ctx)
	}
	if why == nil {
		b.read(url)
		return b
	}
	if b.PID == 0 && !refusedByPooler(why) {
		return nil
	}
	b.Closed = firstWords(why)
	return b
}

// bouncerPID is the PgBouncer that listens at the URL's port; of an account
// whose processes hide their sockets from us it is the only one of that
// account. 0 where it can't be told.
func (h host) bouncerPID(ctx context.Context, url *settings.URL) int {
	const program = "pgbouncer"
	if l := locateIn(ctx, h.sockets, url).Listener; l != nil {
		if l.Name == program {
			return l.PID
		}
		return 0
	}
	for _, l := range h.sockets.Listeners() {
		if l.Addr.Port() == url.Hosts[0].Port && l.PID == 0 {
			p, _ := h.table.Process(h.poolers[l.UID])
			if p.Name == program {
				return p.PID
			}
		}
	}
	return 0
}

func (b *Bouncer) read(url *settings.URL) {
	c := b.console
	db := c.Database(url.Database)
	b.Version, b.MaxClients = c.Version, c.MaxClients
	b.Mode, b.PoolSize, b.Paused, b.Disabled = db.Mode, db.PoolSize, db.Paused, db.Disabled
	b.Clients = len(c.Clients)
	for _, p := range c.Pools {
		b.Waiting += p.Waiting
		b.WaitMS = max(b.WaitMS, p.Wait.Milliseconds())
		if p.Database == url.Database && p.Role == url.User {
			b.Connected, b.Busy = p.Connected, p.Busy
		}
	}
}

// Name is the pooler for people.
func (b *Bouncer) Name() string {
	name := "PgBouncer"
	if b.Version != "" {
		name += " " + b.Version
	}
	if b.PID != 0 {
		name += fmt.Sprintf(" (pid %d)", b.PID)
	}
	return name
}

// Headline is what it has and uses, for people.
func (b *Bouncer) Headline() string {
	if b.Closed != "" {
		return fmt.Sprintf("%s; its console tells role %q nothing (%s). To see its clients: stats_users = %s in its pgbouncer.ini, then RELOAD", b.Name(), b.role, b.Closed, b.role)
	}
	parts := []string{fmt.Sprintf("%d of %d clients", b.Clients, b.MaxClients)}
	if b.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d of them waiting, up to %s", b.Waiting, (time.Duration(b.WaitMS)*time.Millisecond).Round(100*time.Millisecond)))
	}
	if b.PoolSize > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d server connections busy", b.Busy, b.PoolSize))
	}
	switch {
	case b.Paused:
		parts = append(parts, "PAUSED: everybody waits until RESUME")
	case b.Disabled:
		parts = append(parts, "DISABLED: logins are refused until ENABLE")
	}
	text := b.Name()
	if b.Mode != "" {
		text += ", pool_mode " + b.Mode
	}
	return text + ": " + strings.Join(parts, ", ")
}
