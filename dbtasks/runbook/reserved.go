package runbook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// reservedTimeout bounds each try at a reserved slot: they are all on this
// machine, and there are a handful.
const reservedTimeout = time.Second

// door is one way to a reserved slot.
type door struct {
	route Route
	words string
	pin   *pgops.Pin
}

// reserved is the second rung: the logins that may use the slots which PostgreSQL
// keeps back for superusers (superuser_reserved_connections) or, in 16+, for
// roles with pg_use_reserved_connections.
type reserved struct {
	sc       scene
	database string   // of the URL
	doors    []door   // not those that waiting does not open: a wrong password, another server
	tried    []string // what each said, for people
}

func reservedOf(ctx context.Context, rb *Runbook, sc scene) *reserved {
	r := &reserved{sc: sc, database: rb.pool.URL().Database}
	r.doors = r.find(ctx, rb)
	return r
}

// enter logs in by the first door that opens; nil when none does. Where the
// login before was refused because every slot is taken, the reserved ones too,
// which PostgreSQL says before it asks who logs in, only the first door is
// tried, in case that one is free by now.
func (r *reserved) enter(ctx context.Context, refused pgops.Cause) *access {
	var open []door
	for i, d := range r.doors {
		if ctx.Err() != nil || i > 0 && refused == pgops.CauseSlotsFull {
			open = append(open, r.doors[i:]...)
			break
		}
		a, err := r.open(ctx, d)
		if err == nil {
			return a
		}
		if words := wrapTried(d.words, err); !slices.Contains(r.tried, words) {
			r.tried = append(r.tried, words)
		}
		if pgops.CauseOf(err).Passing() {
			open = append(open, d)
		}
	}
	r.doors = open
	return nil
}

// find lists the ways to a reserved slot of this very server: DBTASKS_ADMIN_URL
// when it is set, else the local superuser, which is the role of the operating
// system's user (Homebrew, Postgres.app) or postgres, over the Unix socket and
// over the address that was reached. Each door is known to be the server's
// before anything is sent there.
func (r *reserved) find(ctx context.Context, rb *Runbook) []door {
	admin, err := rb.cfg.Admin()
	if err == nil && admin != nil {
		pin, err := r.samePlace(ctx, rb, admin)
		if err != nil {
			r.tried = append(r.tried, fmt.Sprintf("tried DBTASKS_ADMIN_URL: %s", firstWords(err)))
			return nil
		}
		return []door{{RouteAdminURL, "DBTASKS_ADMIN_URL", pin}}
	}
	if !r.sc.srv.Local {
		return nil // another machine's, or a tunnel to one: its superuser is not ours
	}
	var doors []door
	add := func(role string, a pgops.Address) {
		url := rb.pool.URL().As(role, a.Host.Name, a.Port())
		doors = append(doors, door{RouteLocalSuperuser, fmt.Sprintf("role %q at %s", role, where(url)), pgops.At(url, a)})
	}
	for _, a := range r.sockets() {
		for _, role := range superusers() {
			add(role, a)
		}
		doors = append(doors, r.asAccount(rb, a)...)
	}
	if !r.sc.srv.Address.IsUnix() {
		for _, role := range superusers() {
			add(role, r.sc.srv.Address)
		}
	}
	return doors
}

// asAccount is root's way in where only the server's own account is let in (peer,
// on a stock Debian): as that account, over a socket that is the server's.
func (r *reserved) asAccount(rb *Runbook, a pgops.Address) []door {
	uid := r.sc.srv.Postmaster.UID
	if os.Geteuid() != 0 || uid <= 0 {
		return nil
	}
	who, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil
	}
	url := rb.pool.URL().As(who.Username, a.Host.Name, a.Port())
	pin := pgops.AtThrough(url, a, func(ctx context.Context, a pgops.Address) (net.Conn, error) {
		return pgserver.DialAs(ctx, uid, a.Socket)
	})
	return []door{{RouteLocalSuperuser, fmt.Sprintf("role %q at %s, as the account %[1]s", who.Username, where(url)), pin}}
}

// promote goes on as the best role that can be had: the superuser, who may end
// what our role may not. It tells whether there was one; the session before is
// given back then.
func (a *access) promote(ctx context.Context, rb *Runbook, sc scene) bool {
	better := reservedOf(ctx, rb, sc).enter(ctx, "")
	if better == nil {
		return false
	}
	if !better.server.Superuser {
		better.release()
		return false
	}
	rb.progress("going on %s, which may end sessions of every role", better.route.Words())
	a.release()
	better.freed = a.freed
	*a = *better
	return true
}

// sockets are the usual Unix sockets of the server's port behind which the
// kernel names the server's own process. (A socket in /tmp may be anybody's.)
func (r *reserved) sockets() []pgops.Address {
	var list []pgops.Address
	port := r.sc.srv.Port()
	for _, dir := range hostops.SocketDirs(port) {
		path := pgops.SocketPath(dir, port)
		if peer, err := hostops.PeerCred(path); err == nil && peer.PID != 0 && peer.PID == r.sc.srv.Postmaster.PID {
			list = append(list, pgops.Address{Host: settings.Host{Name: dir, Port: uint16(port)}, Socket: path})
		}
	}
	return list
}

// samePlace pins a URL to the server that is dealt with: the same address, or
// one at which the same process, or the same container, is proven to answer.
func (r *reserved) samePlace(ctx context.Context, rb *Runbook, url *settings.URL) (*pgops.Pin, error) {
	for _, host := range url.Hosts {
		addresses, err := pgops.Resolve(ctx, host)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if a.Same(r.sc.srv.Address) {
				return pgops.At(url, a), nil
			}
		}
		for _, a := range addresses {
			other := server.Look(r.sc.Machine, a)
			other.ProveWithoutSession(ctx, r.sc.Machine)
			if other.Is(r.sc.srv) {
				return pgops.At(url, a), nil
			}
		}
	}
	return nil, errOtherServer
}

func superusers() []string {
	roles := []string{"postgres"}
	if u, err := user.Current(); err == nil && u.Username != "postgres" && u.Username != "root" {
		roles = append([]string{u.Username}, roles...)
	}
	return roles
}

// open logs in by one door, and once more makes sure of the server: by the
// start that it tells, which no two share.
func (r *reserved) open(ctx context.Context, d door) (*access, error) {
	loginCtx, cancel := context.WithTimeout(ctx, reservedTimeout)
	defer cancel()
	conn, err := d.login(loginCtx)
	if err != nil {
		return nil, err
	}
	a := &access{conn: conn, pin: d.pin, route: d.route, release: func() { pgops.Logout(ctx, conn) }}
	if a.server, err = pgops.AskAbout(loginCtx, conn, r.database); err != nil {
		a.release()
		return nil, err
	}
	srv := *r.sc.srv
	if srv.Address = d.pin.Address(); srv.Address.IsUnix() {
		srv.Listener = srv.Postmaster // the kernel named it before the login
	}
	srv.Prove(loginCtx, r.sc.Machine, conn.PgConn().Conn(), a.server, false)
	if r.sc.srv.Local && !srv.Local {
		a.release()
		return nil, errOtherServer
	}
	srv.Address, srv.Listener = r.sc.srv.Address, r.sc.srv.Listener
	a.srv, a.proven = &srv, true
	return a, nil
}

// login opens the door. A superuser that nobody named a database for logs in to
// PostgreSQL's own, where it is there: in the application's, the application's
// role may define what a session of a superuser's must never run.
func (d door) login(ctx context.Context) (*pgx.Conn, error) {
	if d.route == RouteLocalSuperuser {
		conn, err := d.pin.LoginAs(ctx, d.pin.URL().In("postgres"))
		switch pgops.CauseOf(err) {
		case pgops.CauseNoSuchDatabase, pgops.CauseHBA, pgops.CauseNoAccess, pgops.CauseDatabaseLimit:
		default:
			return conn, err
		}
	}
	return d.pin.Login(ctx)
}

// errOtherServer: the session of a reserved slot turned out to be on another
// server than the URL's, or the address of one is not the URL's server's.
var errOtherServer = errors.New("this is not the server that DATABASE_URL names")

func wrapTried(what string, err error) string {
	return fmt.Sprintf("tried %s: %s", what, firstWords(err))
}
