package runbook

import (
	"context"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// reservedTimeout bounds each try at a reserved slot: they are all on this
// machine, and there are a handful.
const reservedTimeout = time.Second

// door is one way to a reserved slot.
type door struct {
	route Route
	words string
	url   *settings.URL
}

// reserved is the second rung: the logins that may use the slots which PostgreSQL
// keeps back for superusers (superuser_reserved_connections) or, in 16+, for
// roles with pg_use_reserved_connections.
type reserved struct {
	target Target
	doors  []door   // not those that waiting does not open: a wrong password, another server
	tried  []string // what each said, for people
}

func reservedOf(deps *Deps, target Target) *reserved {
	return &reserved{target: target, doors: reservedDoors(deps, target)}
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
		a, err := enter(ctx, d, r.target)
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

// reservedDoors lists the ways to a reserved slot: DBTASKS_ADMIN_URL when it
// is set, else the local superuser, which is the role of the operating
// system's user (Homebrew, Postgres.app) or postgres, over the Unix socket and
// over loopback.
func reservedDoors(deps *Deps, target Target) []door {
	admin, err := deps.Config.Admin()
	if err == nil && admin != nil {
		return []door{{RouteAdminURL, "DBTASKS_ADMIN_URL", admin}}
	}
	if !target.Local && !target.hidden {
		return nil // another machine's, or a tunnel to one: its superuser is not ours
	}
	var doors []door
	for _, host := range localHosts(deps.Pool.URL(), target.Port) {
		for _, role := range superusers() {
			url := deps.Pool.URL().As(role, host, target.Port)
			doors = append(doors, door{RouteLocalSuperuser, fmt.Sprintf("role %q at %s", role, where(url)), url})
		}
	}
	return doors
}

func superusers() []string {
	roles := []string{"postgres"}
	if u, err := user.Current(); err == nil && u.Username != "postgres" && u.Username != "root" {
		roles = append([]string{u.Username}, roles...)
	}
	return roles
}

// localHosts are the socket folders that hold a socket for this port, and the
// URL's own loopback host.
func localHosts(url *settings.URL, port int) []string {
	hosts := hostops.SocketDirs(port)
	for _, h := range url.Hosts {
		if !strings.HasPrefix(h.Name, "/") && int(h.Port) == port {
			hosts = append(hosts, h.Name)
		}
	}
	return hosts
}

// enter logs in by one door and makes sure that it leads to the URL's server.
func enter(ctx context.Context, d door, target Target) (*access, error) {
	loginCtx, cancel := context.WithTimeout(ctx, reservedTimeout)
	defer cancel()
	conn, err := d.login(loginCtx)
	if err != nil {
		return nil, err
	}
	a := &access{conn: conn, target: &target, route: d.route, release: func() { pgops.Logout(ctx, conn) }}
	if a.server, err = pgops.AskAbout(loginCtx, conn, target.Database); err == nil && !sameServer(loginCtx, conn, d.url, target, a.server) {
		err = errOtherServer
	}
	if err != nil {
		a.release()
		return nil, err
	}
	a.target.prove(a.server)
	return a, nil
}

// login opens the door. A superuser that nobody named a database for logs in to
// PostgreSQL's own, where it is there: in the application's, the application's
// role may define what a session of a superuser's must never run.
func (d door) login(ctx context.Context) (*pgx.Conn, error) {
	if d.route == RouteLocalSuperuser {
		conn, err := pgops.Login(ctx, d.url.In("postgres"))
		switch pgops.CauseOf(err) {
		case pgops.CauseNoSuchDatabase, pgops.CauseHBA, pgops.CauseNoAccess, pgops.CauseDatabaseLimit:
		default:
			return conn, err
		}
	}
	return pgops.Login(ctx, d.url)
}

// sameServer tells whether the server behind a door is the one behind the
// URL's host and port. The same host and port are; a Unix socket is when the
// process that listens on both is the same, or, where listeners are hidden
// from this user, when the server says that it listens on that port and the
// owner of the listening TCP socket is the account of its backends.
func sameServer(ctx context.Context, conn *pgx.Conn, url *settings.URL, target Target, server pgops.Server) bool {
	host := url.Hosts[0]
	if int(host.Port) != target.Port {
		return false
	}
	if !strings.HasPrefix(host.Name, "/") {
		return sameHost(ctx, host.Name, target.Host)
	}
	if strings.HasPrefix(target.Host, "/") {
		return filepath.Clean(host.Name) == filepath.Clean(target.Host)
	}
	sockets, err := hostops.ReadSockets(ctx)
	if err != nil {
		return false
	}
	if target.Listener != nil {
		pid, ok := sockets.UnixListener(filepath.Join(host.Name, fmt.Sprintf(".s.PGSQL.%d", host.Port)))
		return ok && pid == target.Listener.PID
	}
	backend, err := hostops.Find(server.BackendPID)
	if err != nil {
		return false
	}
	addrs, err := resolve(ctx, target.Host)
	if err != nil {
		return false
	}
	var port string
	if err := conn.QueryRow(ctx, "SHOW port").Scan(&port); err != nil || port != fmt.Sprint(target.Port) {
		return false
	}
	same := false
	for _, l := range sockets.Listeners() {
		if int(l.Addr.Port()) == target.Port && serves(l.Addr.Addr(), addrs) {
			if l.UID != backend.UID {
				return false
			}
			same = true
		}
	}
	return same
}

// sameHost tells whether two names are one machine's: the same name, or both
// this machine's loopback.
func sameHost(ctx context.Context, a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	loopback := func(host string) bool {
		addrs, err := resolve(ctx, host)
		if err != nil || len(addrs) == 0 {
			return false
		}
		for _, addr := range addrs {
			if !addr.IsLoopback() {
				return false
			}
		}
		return true
	}
	return loopback(a) && loopback(b)
}
