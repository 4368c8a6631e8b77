package pgops

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// Slots are the server's connection slots. Only client sessions count against
// them: WAL senders and workers have had slots of their own since PostgreSQL 12.
type Slots struct {
	Max               int `json:"max_connections"`
	SuperuserReserved int `json:"superuser_reserved"`
	Reserved          int `json:"reserved"` // reserved_connections, PostgreSQL 16+; 0 before
	Used              int `json:"used"`     // client sessions of all databases, the asking one included
}

// Usable is how many sessions roles without a privilege can have at most.
func (s Slots) Usable() int { return s.Max - s.SuperuserReserved - s.Reserved }

// Free is how many more such sessions fit in now; never negative.
func (s Slots) Free() int { return max(0, s.Usable()-s.Used) }

// Server is what one login and one query tell about the server and about the
// session that asks.
type Server struct {
	Version       string // server_version, "15.18"
	VersionNum    int    // server_version_num, 150018
	PGlite        bool   // PostgreSQL compiled to WebAssembly (prisma dev): one connection at a time
	Role          string // current_user
	Superuser     bool
	Database      string // the one that was asked about
	RoleLimit     int    // rolconnlimit, -1: none
	DatabaseLimit int    // datconnlimit, -1: none
	Slots         Slots
	InRecovery    bool
	DataDirectory string // "" unless the role may read it (superuser, pg_read_all_settings)
	BackendPID    int
	ServerAddr    netip.Addr    // inet_server_addr: invalid over a Unix socket
	ServerPort    int           // inet_server_port; 0 over a Unix socket
	Port          int           // the setting, which names the Unix socket
	ClientAddr    netip.Addr    // inet_client_addr: our own address as the server sees it; invalid over a Unix socket
	ClientPort    int           // our own port as the server sees it, -1 over a Unix socket
	Started       time.Time     // pg_postmaster_start_time
	Latency       time.Duration // of this one query, there and back
}

// ownSettings sets, for the session's life, what a login can't ask for: a
// startup parameter that an older server does not know ends the login, and so
// does one that only a superuser may set. The role, its database or the server
// may have them otherwise: a session of ours that waits longer than an idle
// timeout would be ended, and messages would be translated. Behind a pooler
// ($2, our backend key, is not the backend's pid) nothing is set: the next
// statement may run in another session, and this one is somebody else's next.
const ownSettings = `
	CASE WHEN pg_catalog.pg_backend_pid()::bigint OPERATOR(pg_catalog.=) $2::bigint THEN (
		SELECT pg_catalog.count(CASE
			WHEN s.name OPERATOR(pg_catalog.<>) 'lc_messages' THEN pg_catalog.set_config(s.name, '0', false)
			WHEN pg_catalog.current_setting('is_superuser')::boolean THEN pg_catalog.set_config(s.name, 'C', false) END)
		FROM (VALUES ('idle_session_timeout'), ('transaction_timeout'), ('lc_messages')) AS s(name)
		WHERE pg_catalog.current_setting(s.name, true) IS NOT NULL)::int ELSE 0 END`

// Ask is AskAbout the session's own database.
func Ask(ctx context.Context, conn *pgx.Conn) (Server, error) { return AskAbout(ctx, conn, "") }

// AskAbout asks the server about itself, and about a database of it (empty:
// the session's own), in one round trip. On a session of the server's own, not
// a pooler's, the same statement sets what the login could not: see ownSettings.
func AskAbout(ctx context.Context, conn *pgx.Conn, database string) (Server, error) {
	var s Server
	var addr, clientAddr *string
	var set int
	began := time.Now()
	err := conn.QueryRow(ctx, `
		SELECT pg_catalog.current_setting('server_version'),
			pg_catalog.current_setting('server_version_num')::int,
			current_user, r.rolsuper, r.rolconnlimit,
			d.datname, d.datconnlimit,
			pg_catalog.current_setting('max_connections')::int,
			pg_catalog.current_setting('superuser_reserved_connections')::int,
			coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int,
			(SELECT pg_catalog.count(*) FROM `+activity+` WHERE `+client+`)::int,
			pg_catalog.pg_is_in_recovery(),
			CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') THEN pg_catalog.current_setting('data_directory') ELSE '' END,
			pg_catalog.pg_backend_pid(),
			pg_catalog.host(pg_catalog.inet_server_addr()), coalesce(pg_catalog.inet_server_port(), 0),
			pg_catalog.current_setting('port')::int,
			pg_catalog.host(pg_catalog.inet_client_addr()), coalesce(pg_catalog.inet_client_port(), -1),
			pg_catalog.pg_postmaster_start_time(),
			pg_catalog.version() OPERATOR(pg_catalog.~~) '%emscripten%',
			`+ownSettings+`
		FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
		WHERE r.rolname OPERATOR(pg_catalog.=) current_user
			AND d.datname OPERATOR(pg_catalog.=) CASE WHEN $1::pg_catalog.text OPERATOR(pg_catalog.=) '' THEN pg_catalog.current_database() ELSE $1::pg_catalog.name END`,
		execMode(conn), database, int64(conn.PgConn().PID())).Scan(
		&s.Version, &s.VersionNum, &s.Role, &s.Superuser, &s.RoleLimit, &s.Database, &s.DatabaseLimit,
		&s.Slots.Max, &s.Slots.SuperuserReserved, &s.Slots.Reserved, &s.Slots.Used, &s.InRecovery,
		&s.DataDirectory, &s.BackendPID, &addr, &s.ServerPort, &s.Port, &clientAddr, &s.ClientPort, &s.Started, &s.PGlite, &set)
	if err != nil {
		return Server{}, fmt.Errorf("ask the server about itself: %w", err)
	}
	s.Latency = time.Since(began)
	if addr != nil {
		s.ServerAddr, _ = netip.ParseAddr(*addr)
	}
	if clientAddr != nil {
		s.ClientAddr, _ = netip.ParseAddr(*clientAddr)
	}
	return s, nil
}
