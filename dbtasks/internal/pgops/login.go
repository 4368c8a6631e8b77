package pgops

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Logout closes a session and waits, at most 2 s, until its socket is closed.
func Logout(ctx context.Context, conn *pgx.Conn) { closeConn(ctx, conn) }

// Pooled tells whether a connection pooler answers at the other end: PgBouncer
// and its like answer SHOW server_version but give backend keys of their own
// making, so the pid they tell is not the backend's.
func Pooled(conn *pgx.Conn, server Server) bool {
	return int(conn.PgConn().PID()) != server.BackendPID
}

// retryPause is the pause between two tries of a login that waits.
const retryPause = 200 * time.Millisecond

// Retry calls try until it succeeds, the cause of its failure is one that
// waiting can't mend, or the wait is over; it tries at least once and returns
// the last failure.
func Retry(ctx context.Context, wait time.Duration, try func(context.Context) error) error {
	deadline := time.Now().Add(wait)
	for {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || !CauseOf(err).Passing() || time.Now().Add(retryPause).After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}
