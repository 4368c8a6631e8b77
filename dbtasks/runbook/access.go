package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Route is how the tool got in, the rung of the ladder in the output.
type Route string

// The routes, in the order in which they are tried.
const (
	RouteDatabaseURL    Route = "database_url"
	RouteDirectURL      Route = "direct_url"
	RouteAdminURL       Route = "admin_url"       // DBTASKS_ADMIN_URL, into the reserved slots
	RouteLocalSuperuser Route = "local_superuser" // the same without a setting: Unix socket or loopback
	RouteSignal         Route = "signal"          // an idle backend was sent SIGTERM to free a slot
	RouteOutside        Route = "outside"         // no session at all: process titles and sockets
)

// Words is the route for people.
func (r Route) Words() string {
	switch r {
	case RouteDirectURL:
		return "through DIRECT_URL"
	case RouteAdminURL:
		return "through a reserved slot, with DBTASKS_ADMIN_URL"
	case RouteLocalSuperuser:
		return "through a reserved slot, as the local superuser"
	case RouteOutside:
		return "from process titles and sockets"
	case RouteSignal:
		return "through a slot freed by SIGTERM to an idle backend"
	}
	return "through DATABASE_URL"
}

// access is a session to work with, and what is known of its server.
type access struct {
	conn    *pgx.Conn
	server  pgops.Server   // what the session told
	srv     *server.Server // the server itself; nil until somebody looked at the machine
	proven  bool           // the session proved, or did not prove, srv to be this machine's
	pin     *pgops.Pin     // the address that it was opened at
	route   Route
	freed   int  // backends that were sent SIGTERM to get in
	pooled  bool // through a connection pooler: the next statement may run in another backend
	release func()
}

// how far open may go to get in.
type openOptions struct {
	caller string           // the target with its flags, for next commands
	one    bool             // the caller opens this session and no more: the pool limit may be missing, or too high for the server
	remote string           // -remote
	harm   bool             // the caller ends sessions: the server must be permitted
	signal bool             // the caller may free a slot by a signal (rung 3)
	dry    bool             // plan only: no signal is sent
	force  bool             // a slot may be freed that another project's running process holds
	idle   time.Duration    // only of a session idle that long; 0: any
	spare  Spare            // whose sessions are not ended for a slot
	looked *machine.Looking // a look that was begun beside the login; nil: none was
}

// open logs in by the first rung that works. Every rung is bounded by the
// URL's connect timeout or less.
func open(ctx context.Context, rb *Runbook, o openOptions) (*access, error) {
	connect := rb.connectLimited
	if o.one {
		connect = rb.connectForOne
	}
	if err := connect(); err != nil {
		return nil, err
	}
	url := rb.pool.URL()
	a, err := openURL(ctx, rb)
	if err != nil && pgops.CauseOf(err).NoSlot() {
		a, err = openWithoutSlot(ctx, rb, o, err)
	}
	if plan := (*dryPlan)(nil); errors.As(err, &plan) {
		return nil, err
	}
	if err != nil {
		return nil, rb.loginFailed(ctx, url, err)
	}
	if err := checkLimit(rb, a.server); err != nil && !o.one {
		a.release()
		return nil, err
	}
	return a, nil
}

// doorTimeout bounds the first rung, whatever connect_timeout says: the whole
// ladder has to be over within 10 s, against a frozen server too.
const doorTimeout = 5 * time.Second

// openURL is the first rung: the pool's session.
func openURL(ctx context.Context, rb *Runbook) (*access, error) {
	ctx, cancel := context.WithTimeout(ctx, doorTimeout)
	defer cancel()
	c, err := rb.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	a := &access{conn: c.Conn(), pin: rb.pool.Pin(), route: RouteDatabaseURL, release: c.Release}
	if rb.pool.URL().Origin.Variable == "DIRECT_URL" {
		a.route = RouteDirectURL
	}
	if a.server, err = pgops.Ask(ctx, a.conn); err != nil {
		c.Release()
		return nil, err
	}
	a.pooled = pgops.Pooled(a.conn, a.server)
	return a, nil
}

// checkLimit refuses a pool limit that this server can't give.
func checkLimit(rb *Runbook, s pgops.Server) error {
	url, err := rb.cfg.Database()
	if err != nil {
		return err
	}
	if usable := usableBy(url, s); url.Limit > usable && !url.PgBouncer {
		return url.TooHigh(usable)
	}
	return nil
}

// usableBy is how many sessions the server can give to the URL's role: a
// superuser may use every slot, others what is not reserved; role and database
// may have limits of their own.
func usableBy(url *settings.URL, s pgops.Server) int {
	usable := s.Slots.Usable()
	if s.Superuser && s.Role == url.User {
		usable = s.Slots.Max
	}
	for _, limit := range []int{s.RoleLimit, s.DatabaseLimit} {
		if limit >= 0 {
			usable = min(usable, limit)
		}
	}
	return usable
}

// openWithoutSlot climbs the rest of the ladder after a login was refused for
// want of a slot. Its error is the first refusal, which is what the user has
// to know, with what was tried since.
func openWithoutSlot(ctx context.Context, rb *Runbook, o openOptions, refused error) (*access, error) {
	sc, err := sceneWithoutSession(ctx, rb)
	if err != nil {
		return nil, err
	}
	rb.progress("no slot at %s: %s", sc.srv, firstWords(refused))
	cause := pgops.CauseOf(refused)
	doors := reservedOf(ctx, rb, sc)
	if a := doors.enter(ctx, cause); a != nil {
		rb.progress("got in %s", a.route.Words())
		return a, nil
	}
	if o.signal && cause != pgops.CausePoolerLimit && sc.srv.Local {
		a, why, err := bySignal(ctx, rb, doors, cause, o)
		if a != nil || err != nil {
			return a, err
		}
		doors.tried = append(doors.tried, "tried "+why)
	}
	return nil, noWayIn(ctx, rb, sc, doors, o, refused)
}

// bySignal climbs the third rung, or, in a dry run, only says what it would
// do: that is the *dryPlan. Where it can't, why says so.
func bySignal(ctx context.Context, rb *Runbook, doors *reserved, cause pgops.Cause, o openOptions) (a *access, why string, err error) {
	if o.idle > 0 {
		return nil, fmt.Sprintf("SIGTERM to an idle backend: not with -idle=%s, since how long it has been idle can't be told before a login", o.idle), nil
	}
	if o.dry {
		list, why := doors.sc.idleBackends(ctx, rb, cause, o)
		if why == "" {
			err = &dryPlan{doors.sc, list}
		}
		return nil, "SIGTERM to an idle backend: " + why, err
	}
	if a, why = openBySignal(ctx, rb, doors, cause, o); a != nil {
		rb.progress("got in %s", a.route.Words())
	}
	return a, why, nil
}

// dryPlan is what a dry run finds when no slot is left: it signals nobody, so
// it can't log in, and plans by the titles alone.
type dryPlan struct {
	sc       scene
	backends []server.Backend
}

func (*dryPlan) Error() string { return "no slot is left; a dry run frees none" }

func firstWords(err error) string {
	if words, _ := pgops.ServerWords(err); words != "" {
		return words
	}
	return err.Error()
}
