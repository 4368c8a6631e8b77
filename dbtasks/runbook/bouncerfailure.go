package runbook

import (
	"context"
	"fmt"

	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// behindPooler adds to a failed login what the pooler's console knows of it:
// who waits there in silence sees nothing but a timeout. f itself comes back
// where no PgBouncer was in the way.
func behindPooler(ctx context.Context, rb *Runbook, url *settings.URL, f *Failure) *Failure {
	switch cause := pgops.Cause(f.Code); {
	case url.Origin.Variable != settings.DatabaseURL:
		return f
	case cause == pgops.CauseTimeout, cause.NoSlot(), cause == pgops.CausePoolerDisabled, cause == pgops.CausePoolerRefused:
	default:
		return f
	}
	m, err := machine.Look(ctx)
	if err != nil || !poolerPossible(ctx, rb, m) {
		return f
	}
	b := askBouncer(ctx, rb, m)
	if b == nil {
		return f
	}
	b.explain(rb, url, f)
	f.Details = append(f.Details, b.Headline())
	return f
}

// explain turns the failure into what the console says it is.
func (b *Bouncer) explain(rb *Runbook, url *settings.URL, f *Failure) {
	at, cause := where(url), pgops.Cause(f.Code)
	switch {
	case b.Paused:
		f.Code = string(pgops.CausePoolerPaused)
		f.Message = fmt.Sprintf("PgBouncer at %s is paused for database %q (by PAUSE or KILL): everybody waits until it is told to go on.", at, url.Database)
		f.Next = consoleCommand(url, "RESUME")
	case b.Disabled:
		f.Code = string(pgops.CausePoolerDisabled)
		f.Message = fmt.Sprintf("PgBouncer at %s refuses logins to database %q: it was disabled there.", at, url.Database)
		f.Next = consoleCommand(url, "ENABLE")
	case cause == pgops.CausePoolerLimit && b.MaxClients > 0 && b.Clients >= b.MaxClients:
		f.Message = fmt.Sprintf("PgBouncer at %s has all its %d clients (max_client_conn); PostgreSQL behind it may have free slots.", at, b.MaxClients)
		f.Next = "who they are: " + rb.Command("db:who") + "; for more of them: max_client_conn in pgbouncer.ini, then RELOAD on its console"
	case cause == pgops.CauseTimeout && b.Waiting > 0 && b.PoolSize > 0 && b.Busy >= b.PoolSize:
		f.Code = string(pgops.CausePoolerLimit)
		f.Message = fmt.Sprintf("All %d server connections that PgBouncer at %s keeps for role %q in database %q are busy; %d clients wait, the longest for %s.",
			b.PoolSize, at, url.User, url.Database, b.Waiting, (time.Duration(b.WaitMS) * time.Millisecond).Round(time.Second))
		f.Next = "DIRECT_URL to the server itself, then: " + rb.Command("db:who") + " names who holds transactions open; default_pool_size in pgbouncer.ini allows more"
	}
}

var plainName = lazyregexp.New(`^[a-z_][a-z0-9_]*$`)

// consoleCommand is a command for PgBouncer's console as an administrator of
// it would type it.
func consoleCommand(url *settings.URL, command string) string {
	name := url.Database
	if !plainName().MatchString(name) {
		name = quoteIdent(name)
	}
	host := url.Hosts[0]
	return fmt.Sprintf(`psql -h %s -p %d -U <one of admin_users> pgbouncer -c %s`, plain.Word(host.Name), host.Port, plain.Word(command+" "+name))
}
