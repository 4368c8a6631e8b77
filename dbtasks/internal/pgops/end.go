package pgops

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// EndOptions choose the sessions to end. The zero value chooses nothing:
// Database is required.
type EndOptions struct {
	Database string        // only sessions of this database
	Force    bool          // every state, not only idle
	Idle     time.Duration // only sessions whose state has lasted at least this long; 0: any
	Dry      bool          // say what would be ended, signal nobody
	OnlyRole string        // only sessions of this role; empty: of any role
	Spare    []int         // backends to leave alone, by pid
	Pooled   []int         // backends that a pooler holds for its clients, by pid: left alone unless Force
	Others   []int         // backends that another project's running process holds, by pid: left alone unless Force
	Only     []SessionID   // nothing but these; nil: no such restriction
	PID      int           // only this backend, whatever its state; 0: any
	State    State         // only sessions in this state, idle, idle in transaction (aborted or not) or active, and these whatever it is; empty: by Force
	Cancel   bool          // cancel the statement, and leave the session
	// Impostors have the tool's application_name and are no runs of it: anybody
	// may choose a name. Others of that name are left alone.
	Impostors []SessionID
}

// SessionID names one session for its whole life: a pid alone may be used
// again by another session.
type SessionID struct {
	PID          int
	BackendStart time.Time
}

// Verdict is what the statement decided about one session.
type Verdict string

// The verdicts. Only VerdictEnd is signalled.
const (
	VerdictEnd       Verdict = "end"
	VerdictBusy      Verdict = "active"              // runs a statement
	VerdictInTx      Verdict = "idle in transaction" // holds a transaction open
	VerdictRecent    Verdict = "not idle long enough"
	VerdictHidden    Verdict = "state hidden from this role"
	VerdictTool      Verdict = "another run of dbtasks"
	VerdictOtherRole Verdict = "another role"
	VerdictSpared    Verdict = "used by this project"
	VerdictPooled    Verdict = "held by a connection pooler for its clients"
	VerdictOthers    Verdict = "held by a running process of another project"
	VerdictListens   Verdict = "listens for notifications (LISTEN)"
	VerdictLocks     Verdict = "holds an advisory lock"
	VerdictTemporary Verdict = "has temporary tables"
	VerdictState     Verdict = "in another state" // than the one that was asked for
	VerdictRefused   Verdict = "not permitted"    // this role may not end that role's sessions
)

// Judged is a session of the database and what was decided about it.
type Judged struct {
	Session
	Verdict   Verdict `json:"verdict"`
	Signalled bool    `json:"-"` // pg_terminate_backend answered true; the session may still be there
}

// InUse tells a session that is idle and in use all the same: what would be
// lost with it is the user's.
func (v Verdict) InUse() bool {
	switch v {
	case VerdictInTx, VerdictPooled, VerdictOthers, VerdictListens, VerdictLocks, VerdictTemporary:
		return true
	}
	return false
}

// idleInUse are the parts of endSQL that tell what an idle session holds.
//
// A LISTEN is known by the session's last statement alone: the server tells
// others nothing of it.
//
// The temporary schema of a session is pg_temp_N, N being its number among the
// backends. From PostgreSQL 16 on pg_stat_get_backend_idset tells these numbers.
// Before, the rows of pg_stat_get_activity stand in their order, and only our own
// is known, from the lock that our statement holds on its own transaction:
// numbers are given out from below, so the one at place n has a number of at
// least n, and no more above n than we have where it stands before us, no fewer
// behind us. Where that leaves several, all of them are spared. The catalog is
// that of the database which asks.
const idleInUse = `
ranked AS MATERIALIZED (
	SELECT r.pid, r.ordinality AS place FROM pg_catalog.pg_stat_get_activity(NULL) WITH ORDINALITY r
), own AS MATERIALIZED (
	SELECT r.place, pg_catalog.split_part(l.virtualtransaction, '/', 1)::bigint AS number
	FROM ranked r JOIN pg_catalog.pg_lock_status() l ON l.pid OPERATOR(pg_catalog.=) r.pid
	WHERE r.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() LIMIT 1
), schemas AS MATERIALIZED (
	SELECT DISTINCT pg_catalog.substr(n.nspname::pg_catalog.text, 9)::bigint AS number
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.relpersistence OPERATOR(pg_catalog.=) 't'::"char" AND n.nspname::pg_catalog.text OPERATOR(pg_catalog.~) '^pg_temp_[0-9]+$'
), temporary AS MATERIALIZED (
	SELECT pg_catalog.pg_stat_get_backend_pid(b.number) AS pid
	FROM pg_catalog.pg_stat_get_backend_idset() b(number) JOIN schemas s ON s.number OPERATOR(pg_catalog.=) b.number::bigint
	WHERE pg_catalog.current_setting('server_version_num')::int OPERATOR(pg_catalog.>=) 160000
	UNION ALL
	SELECT r.pid FROM ranked r, own o, schemas s
	WHERE pg_catalog.current_setting('server_version_num')::int OPERATOR(pg_catalog.<) 160000
		AND r.place OPERATOR(pg_catalog.<=) s.number
		AND CASE WHEN r.place OPERATOR(pg_catalog.<) o.place
			THEN (s.number OPERATOR(pg_catalog.-) r.place) OPERATOR(pg_catalog.<=) (o.number OPERATOR(pg_catalog.-) o.place)
			ELSE (s.number OPERATOR(pg_catalog.-) r.place) OPERATOR(pg_catalog.>=) (o.number OPERATOR(pg_catalog.-) o.place) END
), advisory AS MATERIALIZED (
	SELECT l.pid FROM pg_catalog.pg_lock_status() l
	WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted
)`

// endSQL plans and ends in one statement: the states that decide are those of
// the snapshot that the very statement takes, so nothing changes between a
// plan and its act. Each row is signalled for itself only where
// pg_terminate_backend is sure to be permitted, by the rule of its source
// (pg_signal_backend in signalfuncs.c): one forbidden row would raise an error
// that aborts the statement for all.
//
// $1 database, $2 force, $3 idle in ms, $4 dry, $5 only role or empty,
// $6 pids to spare, $7/$8 pids and starts that alone may be ended, or NULL,
// $9 pids of a pooler, $10/$11 pids and starts of sessions that only have the
// tool's name, $12 pids that another project holds, $13 only this state or
// empty, $14 only this pid or 0, $15 cancel the statement alone.
const endSQL = `
WITH ` + idleInUse + `, seen AS MATERIALIZED (
	SELECT a.*, a.backend_type IS NULL AS hidden,
		extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) coalesce(a.state_change, a.backend_start)) OPERATOR(pg_catalog.*) 1000::numeric AS age_ms,
		pg_catalog.current_setting('is_superuser')::boolean OR (NOT coalesce(r.rolsuper, false) AND (
			pg_catalog.pg_has_role(a.usesysid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))) AS permitted
	FROM ` + activity + `
	LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.usesysid
	WHERE ` + client + ` AND a.datid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) $1::pg_catalog.text)
		AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
		AND ($14::int OPERATOR(pg_catalog.=) 0 OR a.pid OPERATOR(pg_catalog.=) $14::int)
		AND ($7::int[] IS NULL OR EXISTS (
			SELECT FROM unnest($7::int[], $8::timestamp with time zone[]) AS o(pid, started)
			WHERE o.pid OPERATOR(pg_catalog.=) a.pid AND o.started OPERATOR(pg_catalog.=) a.backend_start))
), judged AS MATERIALIZED (
	SELECT a.*, CASE
		WHEN $5::pg_catalog.text OPERATOR(pg_catalog.<>) '' AND (a.usesysid IS NULL OR pg_catalog.pg_get_userbyid(a.usesysid) OPERATOR(pg_catalog.<>) $5::pg_catalog.text) THEN 'another role'
		WHEN a.application_name OPERATOR(pg_catalog.=) '` + ApplicationName + `' AND NOT EXISTS (
			SELECT FROM unnest($10::int[], $11::timestamp with time zone[]) AS i(pid, started)
			WHERE i.pid OPERATOR(pg_catalog.=) a.pid AND i.started OPERATOR(pg_catalog.=) a.backend_start) THEN 'another run of dbtasks'
		WHEN a.pid OPERATOR(pg_catalog.=) ANY ($6::int[]) THEN 'used by this project'
		WHEN NOT $2::boolean AND a.pid OPERATOR(pg_catalog.=) ANY ($9::int[]) THEN '` + string(VerdictPooled) + `'
		WHEN NOT $2::boolean AND coalesce(a.state, 'disabled') OPERATOR(pg_catalog.=) 'disabled' THEN 'state hidden from this role'
		WHEN $13::pg_catalog.text OPERATOR(pg_catalog.<>) '' AND coalesce(pg_catalog.replace(a.state, ' (aborted)', ''), '') OPERATOR(pg_catalog.<>) $13::pg_catalog.text THEN '` + string(VerdictState) + `'
		WHEN NOT $2::boolean AND $13::pg_catalog.text OPERATOR(pg_catalog.=) '' AND a.state OPERATOR(pg_catalog.~~) 'idle in transaction%' THEN 'idle in transaction'
		WHEN NOT $2::boolean AND $13::pg_catalog.text OPERATOR(pg_catalog.=) '' AND a.state OPERATOR(pg_catalog.<>) 'idle' THEN 'active'
		WHEN NOT $2::boolean AND a.pid OPERATOR(pg_catalog.=) ANY ($12::int[]) THEN '` + string(VerdictOthers) + `'
		WHEN NOT $2::boolean AND a.query OPERATOR(pg_catalog.~*) '(^|;|\*/|\n)\s*listen\s+["[:alpha:]_]' THEN '` + string(VerdictListens) + `'
		WHEN NOT $2::boolean AND a.pid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT l.pid FROM advisory l)) THEN '` + string(VerdictLocks) + `'
		WHEN NOT $2::boolean AND a.pid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.pid FROM temporary t)) THEN '` + string(VerdictTemporary) + `'
		WHEN $3::bigint OPERATOR(pg_catalog.>) 0::bigint AND coalesce(a.age_ms, 0) OPERATOR(pg_catalog.<) $3::bigint::numeric THEN 'not idle long enough'
		WHEN NOT a.permitted THEN 'not permitted'
		ELSE 'end' END AS verdict
	FROM seen a
)
SELECT pg_catalog.clock_timestamp(), ` + sessionColumns + `, a.verdict,
	CASE WHEN a.verdict OPERATOR(pg_catalog.=) 'end' AND NOT $4::boolean THEN
		CASE WHEN $15::boolean THEN pg_catalog.pg_cancel_backend(a.pid) ELSE pg_catalog.pg_terminate_backend(a.pid) END ELSE false END
FROM judged a LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) a.datid
ORDER BY a.backend_start NULLS LAST, a.pid`

// EndResult is what one ending did.
type EndResult struct {
	At       time.Time // the server's clock when the statement ran; zero when it saw no session
	Judged   []Judged  // every other client session of the database
	Ended    []Session // signalled, and seen to be gone; with Cancel, to run that statement no more
	LeftOver []Session // signalled, and still there, or still at it, when the wait was over
}

// End judges every client session of a database and, unless Dry, ends those
// chosen, in one statement. It then waits until they are gone, at most
// goneTimeout: pg_terminate_backend answers true before the backend is gone,
// and true for a frozen one that stays.
//
// A context that is cancelled during the wait leaves the signals sent; what is
// not known to be gone is LeftOver then, and the context's error is returned
// beside the result.
func End(ctx context.Context, conn *pgx.Conn, o EndOptions) (EndResult, error) {
	var res EndResult
	onlyPIDs, onlyStarts := columns(o.Only)
	if o.Only == nil {
		onlyPIDs, onlyStarts = nil, nil // NULL
	}
	impostorPIDs, impostorStarts := columns(o.Impostors)
	rows, err := conn.Query(ctx, endSQL, execMode(conn),
		o.Database, o.Force, o.Idle.Milliseconds(), o.Dry, o.OnlyRole, int4s(o.Spare), onlyPIDs, onlyStarts, int4s(o.Pooled), impostorPIDs, impostorStarts, int4s(o.Others), o.State, o.PID, o.Cancel)
	if err != nil {
		return res, fmt.Errorf("end sessions: %w", err)
	}
	res.Judged, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Judged, error) {
		var j Judged
		var age *int64
		places := append([]any{&res.At}, j.scanTargets(&age)...)
		err := row.Scan(append(places, &j.Verdict, &j.Signalled)...)
		j.settle(age)
		return j, err
	})
	if err != nil {
		return res, fmt.Errorf("end sessions: %w", err)
	}
	var waiting []Session
	for _, j := range res.Judged {
		if j.Verdict == VerdictEnd && !o.Dry {
			waiting = append(waiting, j.Session)
		}
	}
	if o.Cancel {
		res.Ended, res.LeftOver, err = awaitCancelled(ctx, conn, waiting, res.At)
	} else {
		res.Ended, res.LeftOver, err = AwaitGone(ctx, conn, waiting)
	}
	return res, err
}

// columns are the sessions as two arrays, for unnest.
func columns(list []SessionID) (pids []int32, starts []time.Time) {
	pids, starts = []int32{}, []time.Time{}
	for _, id := range list {
		pids, starts = append(pids, int32(id.PID)), append(starts, id.BackendStart)
	}
	return pids, starts
}

// int4s is never nil, which would be NULL.
func int4s(list []int) []int32 {
	out := make([]int32, 0, len(list))
	for _, n := range list {
		out = append(out, int32(n))
	}
	return out
}
