package pgops

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// NamedLimit is a connection limit of a role or a database, -1: none.
type NamedLimit struct {
	Name  string `json:"name"`
	Limit int    `json:"limit"`
	Used  int    `json:"used"` // client sessions
}

// Timeout is a setting that ends forgotten sessions, as it applies to one role
// in one database.
type Timeout struct {
	Name    string        `json:"name"`
	Known   bool          `json:"known"` // false: older than the setting, or hidden from this login
	Value   time.Duration `json:"-"`     // 0: off
	ValueMS int64         `json:"value_ms"`
	// Source is who set it: "default", "configuration file", "ALTER SYSTEM",
	// "command line", "role", "database", "role in database", "all roles",
	// "connection" (options of the URL).
	Source string `json:"source"`
}

// The settings that heal leaks by themselves (PostgreSQL's manual, 20.11.1 and
// 20.3.2); the first and the last came with PostgreSQL 14.
const (
	IdleSession       = "idle_session_timeout"
	IdleInTransaction = "idle_in_transaction_session_timeout"
	ConnectionCheck   = "client_connection_check_interval"
)

// Limits are all limits of a server that are set.
type Limits struct {
	Roles     []NamedLimit
	Databases []NamedLimit
	Timeouts  []Timeout // the three above, in their order
	MaxSource string    // of max_connections, as pg_settings has it: "configuration file", "command line", …
	MaxInAuto bool      // its value is ALTER SYSTEM's; told to superusers and pg_read_all_settings alone
	MayRaise  bool      // this login may ALTER SYSTEM SET max_connections
}

// AskLimits asks for the limits as they apply to role in database, which may
// be others than the session's own.
func AskLimits(ctx context.Context, conn *pgx.Conn, server Server, role, database string) (Limits, error) {
	var l Limits
	var err error
	if l.Roles, err = namedLimits(ctx, conn, `
		SELECT r.rolname, r.rolconnlimit, (SELECT pg_catalog.count(*) FROM `+activity+` WHERE a.usesysid OPERATOR(pg_catalog.=) r.oid AND `+client+`)
		FROM pg_catalog.pg_roles r WHERE r.rolconnlimit OPERATOR(pg_catalog.>=) 0 OR r.rolname OPERATOR(pg_catalog.=) $1::pg_catalog.text
		ORDER BY r.rolname OPERATOR(pg_catalog.<>) $1::pg_catalog.text, r.rolname`, role); err != nil {
		return l, err
	}
	if l.Databases, err = namedLimits(ctx, conn, `
		SELECT d.datname, d.datconnlimit, (SELECT pg_catalog.count(*) FROM `+activity+` WHERE a.datid OPERATOR(pg_catalog.=) d.oid AND `+client+`)
		FROM pg_catalog.pg_database d WHERE d.datconnlimit OPERATOR(pg_catalog.>=) 0 OR d.datname OPERATOR(pg_catalog.=) $1::pg_catalog.text
		ORDER BY d.datname OPERATOR(pg_catalog.<>) $1::pg_catalog.text, d.datname`, database); err != nil {
		return l, err
	}
	if l.Timeouts, err = withLoginsTimeouts(ctx, conn, server, func() ([]Timeout, error) {
		return timeouts(ctx, conn, server, role, database)
	}); err != nil {
		return l, err
	}
	may := "r.rolsuper"
	if server.VersionNum >= 150000 { // parameters can be granted since 15
		may += " OR pg_catalog.has_parameter_privilege('max_connections', 'ALTER SYSTEM')"
	}
	err = conn.QueryRow(ctx, `
		SELECT s.source, coalesce(s.sourcefile OPERATOR(pg_catalog.~~) '%postgresql.auto.conf', false), `+may+`
		FROM pg_catalog.pg_settings s, pg_catalog.pg_roles r
		WHERE s.name OPERATOR(pg_catalog.=) 'max_connections' AND r.rolname OPERATOR(pg_catalog.=) current_user`, execMode(conn)).Scan(&l.MaxSource, &l.MaxInAuto, &l.MayRaise)
	if err != nil {
		return l, fmt.Errorf("ask where max_connections comes from: %w", err)
	}
	return l, nil
}

func namedLimits(ctx context.Context, conn *pgx.Conn, sql, name string) ([]NamedLimit, error) {
	rows, err := conn.Query(ctx, sql, execMode(conn), name)
	if err != nil {
		return nil, fmt.Errorf("ask for the connection limits: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (NamedLimit, error) {
		var n NamedLimit
		return n, row.Scan(&n.Name, &n.Limit, &n.Used)
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the connection limits: %w", err)
	}
	return list, nil
}

// withLoginsTimeouts gives the session back the idle_session_timeout that its
// login got, for as long as ask runs (see ownSettings).
func withLoginsTimeouts(ctx context.Context, conn *pgx.Conn, server Server, ask func() ([]Timeout, error)) ([]Timeout, error) {
	if server.VersionNum < 140000 || Pooled(conn, server) {
		return ask()
	}
	if _, err := conn.Exec(ctx, "RESET idle_session_timeout", pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, fmt.Errorf("ask for the timeouts: %w", err)
	}
	list, err := ask()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SET idle_session_timeout = 0", pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, fmt.Errorf("ask for the timeouts: %w", err)
	}
	return list, nil
}

// timeouts asks the session for the server's own values, and the catalog for
// what a login of role to database gets instead. PostgreSQL takes the most
// special: role in database, role, database, all roles.
func timeouts(ctx context.Context, conn *pgx.Conn, server Server, role, database string) ([]Timeout, error) {
	list := []Timeout{{Name: IdleSession}, {Name: IdleInTransaction}, {Name: ConnectionCheck}}
	for i := range list {
		t := &list[i]
		var setting, source string
		var inAuto bool
		var override *string
		var special *int
		err := conn.QueryRow(ctx, `
			SELECT s.setting, s.source, coalesce(s.sourcefile OPERATOR(pg_catalog.~~) '%postgresql.auto.conf', false), o.value, o.special
			FROM pg_catalog.pg_settings s LEFT JOIN LATERAL (
				SELECT pg_catalog.substr(c, pg_catalog.length($1::pg_catalog.text) OPERATOR(pg_catalog.+) 2) AS value,
					(CASE WHEN d.setrole OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN 2 ELSE 0 END OPERATOR(pg_catalog.+) CASE WHEN d.setdatabase OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN 1 ELSE 0 END) AS special
				FROM pg_catalog.pg_db_role_setting d, pg_catalog.unnest(d.setconfig) c
				WHERE (d.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR d.setrole OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $2::pg_catalog.text))
					AND (d.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR d.setdatabase OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) $3::pg_catalog.text))
					AND pg_catalog.lower(pg_catalog.split_part(c, '=', 1)) OPERATOR(pg_catalog.=) $1::pg_catalog.text
				ORDER BY special DESC LIMIT 1) o ON true
			WHERE s.name OPERATOR(pg_catalog.=) $1::pg_catalog.text`, execMode(conn), t.Name, role, database).Scan(&setting, &source, &inAuto, &override, &special)
		if errors.Is(err, pgx.ErrNoRows) {
			t.Source = "not in PostgreSQL " + server.Version
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for %s: %w", t.Name, err)
		}
		own := server.Role == role && server.Database == database
		switch {
		case source == "client" && own:
			t.Source = "connection"
			t.Value, t.Known = ParseMilliseconds(setting)
		case override != nil:
			t.Source = []string{"all roles", "database", "role", "role in database"}[*special]
			t.Value, t.Known = ParseMilliseconds(*override)
		case strings.Contains(source, "role") || strings.Contains(source, "user") || source == "database" || source == "client" || source == "session":
			t.Source = "hidden behind this login's own" // the session's role has one, ours has not
		default:
			t.Source = source
			if inAuto {
				t.Source = "ALTER SYSTEM"
			}
			t.Value, t.Known = ParseMilliseconds(setting)
		}
		t.ValueMS = t.Value.Milliseconds()
	}
	return list, nil
}

// ParseMilliseconds reads a setting whose unit is the millisecond: "5min",
// "1.5 s", "300000" (PostgreSQL's manual, 20.1.1).
func ParseMilliseconds(text string) (time.Duration, bool) {
	text = strings.Trim(strings.TrimSpace(text), "'")
	number := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.ParseFloat(number, 64)
	unit, ok := map[string]time.Duration{"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
		"min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.TrimSpace(text[len(number):])]
	if err != nil || !ok || n < 0 || n*float64(unit) > math.MaxInt64/2 {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// SetMaxConnections writes max_connections to postgresql.auto.conf (ALTER
// SYSTEM), 0: takes it out again. It holds from the next restart.
func SetMaxConnections(ctx context.Context, conn *pgx.Conn, n int) error {
	sql := "ALTER SYSTEM RESET max_connections"
	if n > 0 {
		sql = fmt.Sprintf("ALTER SYSTEM SET max_connections = %d", n)
	}
	if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("write max_connections: %w", err)
	}
	return nil
}

// raiseLock is the advisory lock of whoever raises max_connections. An advisory
// lock is one database's: two that log in to different ones do not see each
// other's, which is why an undo looks at what is written, too.
const raiseLock = 0x64627461736b73 // "dbtasks"

// LockRaise takes the lock for the session's life; false: another has it.
func LockRaise(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var got bool
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock($1::bigint)", execMode(conn), int64(raiseLock)).Scan(&got); err != nil {
		return false, fmt.Errorf("lock max_connections: %w", err)
	}
	return got, nil
}

// WrittenMaxConnections is what ALTER SYSTEM has written for the next start; 0:
// nothing is. It wants a superuser or pg_read_all_settings.
func WrittenMaxConnections(ctx context.Context, conn *pgx.Conn) (int, error) {
	var n int
	err := conn.QueryRow(ctx, `
		SELECT f.setting::int FROM pg_catalog.pg_show_all_file_settings() f
		WHERE f.name OPERATOR(pg_catalog.=) 'max_connections' AND f.sourcefile OPERATOR(pg_catalog.~~) '%postgresql.auto.conf'
		ORDER BY f.seqno DESC LIMIT 1`, execMode(conn)).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ask what is written for the next start: %w", err)
	}
	return n, nil
}
