package pgops

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// State is a session's state as pg_stat_activity words it, or StateHidden.
type State string

// The states of pg_stat_activity that the tool treats apart, and its own word
// for a session of which this role may see nothing but that it exists.
const (
	StateActive    State = "active"
	StateIdle      State = "idle"
	StateIdleInTx  State = "idle in transaction"
	StateIdleInTxA State = "idle in transaction (aborted)"
	StateDisabled  State = "disabled" // track_activities is off
	StateHidden    State = "hidden"   // the role is no member of the session's role and not of pg_read_all_stats
)

// InTransaction tells whether the session holds a transaction open without
// running anything.
func (s State) InTransaction() bool { return s == StateIdleInTx || s == StateIdleInTxA }

// Session is one client session of a database as the server sees it.
type Session struct {
	PID             int           `json:"pid,omitempty"`           // 0: not known (told by its client's end alone)
	BackendStart    *time.Time    `json:"backend_start,omitempty"` // null: hidden from this role
	Role            string        `json:"role,omitempty"`
	Database        string        `json:"database,omitempty"`
	ApplicationName string        `json:"application_name"`
	ClientAddr      string        `json:"client_addr,omitempty"` // empty: Unix socket, or hidden
	ClientPort      int           `json:"client_port,omitempty"` // -1: Unix socket; 0: hidden
	State           State         `json:"state"`
	Age             time.Duration `json:"-"`                // since state_change, else since backend_start; 0 where hidden
	AgeMS           int64         `json:"age_ms,omitempty"` // at least 1 where it is known
	Query           string        `json:"-"`                // how its last statement begins, literals left out; empty: none, or hidden
}

// activity is what the view pg_stat_activity reads, without its joins: a login
// that asks once and leaves pays for every relation that it names (measured on
// a fresh session of PostgreSQL 15: 1.2 ms for a count instead of 2.3). Its
// columns have the view's names (PostgreSQL's manual, "Statistics Functions"), and
// it hides from a role what the view hides.
const activity = `pg_catalog.pg_stat_get_activity(NULL) a`

// client is what makes a row of pg_stat_activity a client session. To a role
// that may not see a session its backend_type is NULL too; what then has a
// database and a role is a client (workers of the server lack one of them).
const client = `(a.backend_type OPERATOR(pg_catalog.=) 'client backend' OR (a.backend_type IS NULL AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL))`

// sessionColumns are scanned by scanSession, in this order. state_change and
// backend_start give the age: a session that never ran a query has state
// 'idle' and a query_start that is NULL.
const sessionColumns = `
	a.pid, a.backend_start, coalesce(pg_catalog.pg_get_userbyid(a.usesysid), ''), coalesce(d.datname, ''), coalesce(a.application_name, ''),
	coalesce(pg_catalog.host(a.client_addr), ''), coalesce(a.client_port, 0),
	coalesce(a.state, CASE WHEN a.backend_type IS NULL THEN 'hidden' ELSE 'starting' END),
	(extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) coalesce(a.state_change, a.backend_start)) OPERATOR(pg_catalog.*) 1000::numeric)::bigint,
	CASE WHEN a.state IS NULL THEN '' ELSE pg_catalog.left(coalesce(a.query, ''), 200) END`

// scanTargets are the places for sessionColumns.
func (s *Session) scanTargets(ageMS **int64) []any {
	return []any{&s.PID, &s.BackendStart, &s.Role, &s.Database, &s.ApplicationName, &s.ClientAddr, &s.ClientPort, &s.State, ageMS, &s.Query}
}

// settle completes what scanTargets left raw.
func (s *Session) settle(ms *int64) {
	s.Query = firstWordsOf(s.Query)
	if ms != nil {
		s.AgeMS = max(1, *ms)
		s.Age = time.Duration(s.AgeMS) * time.Millisecond
	}
}

// execMode runs a statement in one round trip: each of the tool's statements
// runs once or a few times, so preparing it would cost more than it saves.
// Behind a pooler (pgbouncer=true) it stays the simple protocol.
func execMode(conn *pgx.Conn) pgx.QueryExecMode {
	if mode := conn.Config().DefaultQueryExecMode; mode == pgx.QueryExecModeSimpleProtocol {
		return mode
	}
	return pgx.QueryExecModeExec
}

// Sessions lists the client sessions of one database, the asking one left
// out, oldest first. An empty database name lists those of the whole server.
func Sessions(ctx context.Context, conn *pgx.Conn, database string) ([]Session, error) {
	rows, err := conn.Query(ctx, `
		SELECT `+sessionColumns+`
		FROM `+activity+` LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) a.datid
		WHERE `+client+` AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() AND ($1::pg_catalog.text OPERATOR(pg_catalog.=) '' OR d.datname OPERATOR(pg_catalog.=) $1::pg_catalog.text)
		ORDER BY a.backend_start NULLS LAST, a.pid`, execMode(conn), database)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Session, error) {
		var s Session
		var age *int64
		err := row.Scan(s.scanTargets(&age)...)
		s.settle(age)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	return list, nil
}

// ID names the session for its whole life. The start is zero where it is
// hidden from this role.
func (s Session) ID() SessionID {
	id := SessionID{PID: s.PID}
	if s.BackendStart != nil {
		id.BackendStart = s.BackendStart.UTC()
	}
	return id
}
