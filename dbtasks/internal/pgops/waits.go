package pgops

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Wait is one session that waits for a lock.
type Wait struct {
	PID       int    `json:"pid"`
	BlockedBy []int  `json:"blocked_by"`       // the sessions that hold the lock, or queue for it before this one, by pid; 0: a prepared transaction
	Lock      string `json:"lock,omitempty"`   // "relation orders", "transaction", "advisory lock"; empty: not told
	ForMS     int64  `json:"for_ms,omitempty"` // since it began to wait; 0: not told
}

// waitsSQL asks for what sessions wait for. pg_blocking_pids, which locks the
// server's lock table each time, is called for those alone that have a lock not
// granted. It may be called by everybody, and pg_locks hides nothing. The column
// waitstart came with PostgreSQL 14: read through JSON, it is absent on an older
// server and no error. A relation has a name here only where it is of the
// database that asks.
const waitsSQL = `
WITH wanted AS MATERIALIZED (
	SELECT DISTINCT ON (l.pid) l.pid, l.locktype, l.relation, l.database,
		(pg_catalog.to_jsonb(l) OPERATOR(pg_catalog.->>) 'waitstart')::timestamp with time zone AS waitstart
	FROM pg_catalog.pg_lock_status() l
	JOIN ` + activity + ` ON a.pid OPERATOR(pg_catalog.=) l.pid
	WHERE NOT l.granted AND ` + client + ` ORDER BY l.pid
), asked AS MATERIALIZED (
	SELECT w.*, pg_catalog.pg_blocking_pids(w.pid) AS blockers FROM wanted w
)
SELECT w.pid, w.blockers, CASE
		WHEN w.locktype OPERATOR(pg_catalog.=) 'advisory' THEN 'advisory lock'
		WHEN w.locktype OPERATOR(pg_catalog.=) 'transactionid' THEN 'transaction'
		WHEN c.relname IS NULL THEN w.locktype
		WHEN n.nspname OPERATOR(pg_catalog.=) 'public' THEN 'relation ' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text
		ELSE 'relation ' OPERATOR(pg_catalog.||) n.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text END,
	(extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) w.waitstart) OPERATOR(pg_catalog.*) 1000::numeric)::bigint
FROM asked w
LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) w.relation
	AND w.database OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE pg_catalog.cardinality(w.blockers) OPERATOR(pg_catalog.>) 0
ORDER BY w.pid`

// Waits are the sessions that wait for another one's lock.
func Waits(ctx context.Context, conn *pgx.Conn) ([]Wait, error) {
	rows, err := conn.Query(ctx, waitsSQL, execMode(conn))
	if err != nil {
		return nil, fmt.Errorf("ask who waits for whom: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Wait, error) {
		var w Wait
		var by []int32
		var ms *int64
		err := row.Scan(&w.PID, &by, &w.Lock, &ms)
		for _, pid := range by {
			if !slices.Contains(w.BlockedBy, int(pid)) { // once for each lock of a parallel group
				w.BlockedBy = append(w.BlockedBy, int(pid))
			}
		}
		if ms != nil {
			w.ForMS = max(1, *ms)
		}
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("ask who waits for whom: %w", err)
	}
	return list, nil
}
