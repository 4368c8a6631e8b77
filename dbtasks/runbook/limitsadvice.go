package runbook

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Advice is one thing to do: a statement, a line or a command as it is to be
// typed, and why.
type Advice struct {
	Do  string `json:"do"`
	Why string `json:"why"`
}

// longTimeout is what a timeout may be at most to be worth having against a
// leak: a day of hot reloads fills a server in minutes.
const longTimeout = 15 * time.Minute

// advise is in order of value: what heals leaks by itself, then what asks for
// less, and more slots last.
func advise(rb *Runbook, url *settings.URL, server pgops.Server, r LimitsReport, role, database string) []Advice {
	list := []Advice{}
	set := func(name, value string) string {
		return fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET %s = '%s';", pgx.Identifier{role}.Sanitize(), pgx.Identifier{database}.Sanitize(), name, value)
	}
	for _, t := range r.Timeouts {
		if !t.Known || t.Value > 0 && t.Value <= longTimeout {
			continue
		}
		switch t.Name {
		case pgops.IdleSession:
			list = append(list, Advice{set(t.Name, "5min"), "ends forgotten sessions by itself, from the next login on; no superuser is needed. A pg.Pool must have an 'error' listener, or the end of a session ends the app"})
		case pgops.IdleInTransaction:
			list = append(list, Advice{set(t.Name, "5min"), "ends sessions that forgot a transaction; they hold locks, and db:cleanup spares them"})
		case pgops.ConnectionCheck:
			list = append(list, Advice{set(t.Name, "10s"), "notices within 10 s that a client died in the middle of a query"})
		}
	}
	short := r.Wanted > r.Available
	if short && r.Processes > 0 && r.Available/r.Processes < r.PoolLimit && r.PoolLimit > 1 {
		list = append(list, Advice{url.WithLimit(max(1, r.Available/r.Processes)), "a smaller pool for each process (write your password for ***). Prisma 7 wants it as max of its adapter"})
	}
	if short && !url.PgBouncer {
		list = append(list, Advice{"PgBouncer with pool_mode = transaction", "many processes share few sessions: DATABASE_URL goes to it, with pgbouncer=true, and DIRECT_URL to the server"})
	}
	if raised := server.Slots.Max * 2; (short || r.Slots.Used*2 > r.Usable) && raised <= mostConnections && !server.InRecovery {
		list = append(list, Advice{rb.Command(fmt.Sprintf("db:limits -raise=%d", raised)), fmt.Sprintf("last: a leak fills %d slots as well. It restarts the server, and each connection costs %s", raised, r.Memory)})
	}
	return list
}

// String is the cost for people, and how it is known.
func (m Memory) String() string {
	switch {
	case m.Measured == 1:
		return fmt.Sprintf("%s (measured: one backend here), and work_mem and more while it runs a query", megabytes(m.Bytes))
	case m.Measured > 1:
		return fmt.Sprintf("%s (measured: median of %d backends here), and work_mem and more while it runs a query", megabytes(m.Bytes), m.Measured)
	}
	return fmt.Sprintf("up to %s (not measurable as this user; PGConf.DE 2025, session 6297), and work_mem and more while it runs a query", megabytes(m.Bytes))
}

func megabytes(n int64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GB", n>>30)
	}
	if n >= 10<<20 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
