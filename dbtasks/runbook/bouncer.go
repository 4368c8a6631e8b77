package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
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
	address pgops.Address
	console pgops.PgBouncer
}

// consoleTimeout bounds everything that is asked of a pooler's console.
const consoleTimeout = time.Second

// poolerPossible tells whether DATABASE_URL may lead to a pooler, before
// anything is asked: a setting says so, or its program listens there.
func poolerPossible(ctx context.Context, rb *Runbook, m *machine.Machine) bool {
	url, err := rb.cfg.Database()
	if err != nil {
		return false
	}
	if url.PgBouncer || rb.pool.URL().Origin.Variable != url.Origin.Variable {
		return true
	}
	address := rb.pool.Pin().Address()
	if address.IsZero() {
		address = firstAddress(ctx, rb)
	}
	return server.Look(m, address).Kind == server.Pooler
}

// askBouncer logs in to the console and looks; nil where no PgBouncer answers
// at DATABASE_URL. It never takes longer than consoleTimeout, and never fails:
// what it adds is worth nobody's exit code.
func askBouncer(ctx context.Context, rb *Runbook, m *machine.Machine) *Bouncer {
	url, err := rb.cfg.Database()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	console, err := openConsole(ctx, rb.pin(url), m)
	if err == nil {
		defer console.Close(ctx)
	}
	return lookAtBouncer(ctx, rb.pin(url), m, console, err)
}

// openConsole tries the URL's own role, and PgBouncer's way for its own
// account: the user pgbouncer over its Unix socket, without a password, where
// the kernel names a pooler behind that.
func openConsole(ctx context.Context, pin *pgops.Pin, m *machine.Machine) (*pgops.Console, error) {
	console, err := pgops.OpenConsole(ctx, pin, pin.URL().Console())
	if err == nil || !refusedByPooler(err) {
		return console, err
	}
	port := pin.Address().Port()
	for _, dir := range hostops.SocketDirs(port) {
		peer, peerErr := hostops.PeerCred(pgops.SocketPath(dir, port))
		if peerErr != nil || hostops.KindOf(m.Process(peer.PID)) != hostops.Pooler {
			continue
		}
		url := pin.URL().As("pgbouncer", dir, port).Console()
		if console, err := pgops.OpenConsole(ctx, pgops.NewPin(url), url); err == nil {
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
func lookAtBouncer(ctx context.Context, pin *pgops.Pin, m *machine.Machine, console *pgops.Console, why error) *Bouncer {
	b := &Bouncer{role: pin.URL().User, address: pin.Address(), PID: bouncerPID(m, pin.Address())}
	if console != nil {
		b.console, why = console.Look(ctx)
	}
	if why == nil {
		b.read(pin.URL())
		return b
	}
	if b.PID == 0 && !refusedByPooler(why) {
		return nil
	}
	b.Closed = firstWords(why)
	return b
}

// bouncerPID is the PgBouncer that listens at an address; of an account whose
// processes hide their sockets from us it is the only one of that account. 0
// where it can't be told.
func bouncerPID(m *machine.Machine, address pgops.Address) int {
	const program = "pgbouncer"
	if address.IsZero() {
		return 0
	}
	if address.IsUnix() {
		peer, _ := hostops.PeerCred(address.Socket)
		if m.Process(peer.PID).Name == program {
			return peer.PID
		}
		return 0
	}
	for _, l := range m.ListenersAt(address.TCP) {
		pid := l.PID
		if pid == 0 {
			pid = m.PoolerOf(l.UID)
		}
		if p := m.Process(pid); p.Name == program {
			return p.PID
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
