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

// waitsSQL asks for what sessions wait for. pg_blocking_pids may be called by
// everybody, and pg_locks hides nothing; waitstart is there from PostgreSQL 14 on.
// A relation has a name here only where it is of the database that asks.
const waitsSQL = `
SELECT a.pid, pg_catalog.pg_blocking_pids(a.pid),
	coalesce((SELECT CASE
			WHEN l.locktype OPERATOR(pg_catalog.=) 'advisory' THEN 'advisory lock'
			WHEN l.locktype OPERATOR(pg_catalog.=) 'transactionid' THEN 'transaction'
			WHEN c.relname IS NULL THEN l.locktype
			WHEN n.nspname OPERATOR(pg_catalog.=) 'public' THEN 'relation ' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text
			ELSE 'relation ' OPERATOR(pg_catalog.||) n.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text END
		FROM pg_catalog.pg_lock_status() l
		LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) l.relation
			AND l.database OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
		LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE l.pid OPERATOR(pg_catalog.=) a.pid AND NOT l.granted LIMIT 1), ''),
	(SELECT (extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) l.waitstart) OPERATOR(pg_catalog.*) 1000::numeric)::bigint
		FROM pg_catalog.pg_lock_status() l WHERE l.pid OPERATOR(pg_catalog.=) a.pid AND NOT l.granted LIMIT 1)
FROM ` + activity + `
WHERE ` + client + ` AND pg_catalog.cardinality(pg_catalog.pg_blocking_pids(a.pid)) OPERATOR(pg_catalog.>) 0
ORDER BY a.pid`

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
