package pgops

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// goneTimeout is how long End waits for signalled sessions to be gone. The
// server needs about 1.3 ms for each, a busy one longer.
const goneTimeout = 5 * time.Second

// pauseBefore is how long to wait before the sessions are looked for again: half
// of what the rest will need at the rate that is seen, so that the last look
// comes soon after the last session and few looks keep the server from its
// work; but an eighth of the time so far where the rest does not end at all.
func pauseBefore(soFar time.Duration, gone, left int) time.Duration {
	pause := soFar / 8
	if gone > 0 {
		pause = max(pause, soFar*time.Duration(left)/time.Duration(2*gone))
	}
	return min(max(pause, 2*time.Millisecond), 50*time.Millisecond)
}

// AwaitGone polls until none of the sessions is left. A session that is hidden
// has no backend_start to compare: its pid decides then.
func AwaitGone(ctx context.Context, conn *pgx.Conn, sessions []Session) (gone, left []Session, err error) {
	return await(ctx, sessions, func(left []Session) (map[int]*time.Time, error) { return presentOf(ctx, conn, left) })
}

// awaitCancelled polls until none of the sessions is at the statement that it
// ran at a moment of the server's clock.
func awaitCancelled(ctx context.Context, conn *pgx.Conn, sessions []Session, since time.Time) (done, left []Session, err error) {
	return await(ctx, sessions, func(left []Session) (map[int]*time.Time, error) {
		return startsOf(ctx, conn, left, "AND a.state OPERATOR(pg_catalog.=) 'active' AND a.state_change OPERATOR(pg_catalog.<=) $2::timestamp with time zone", since)
	})
}

// await asks again and again which of the sessions are still there, by pid and
// start, until none is or goneTimeout is over.
func await(ctx context.Context, sessions []Session, ask func([]Session) (map[int]*time.Time, error)) (gone, left []Session, err error) {
	left = sessions
	began := time.Now()
	for len(left) > 0 {
		present, err := ask(left)
		if err != nil {
			return gone, left, err
		}
		var still []Session
		for _, s := range left {
			started, here := present[s.PID]
			if here && (s.BackendStart == nil || started == nil || s.BackendStart.Equal(*started)) {
				still = append(still, s)
			} else {
				gone = append(gone, s)
			}
		}
		if left = still; len(left) == 0 || time.Since(began) > goneTimeout {
			break
		}
		select {
		case <-ctx.Done():
			return gone, left, ctx.Err()
		case <-time.After(pauseBefore(time.Since(began), len(gone), len(left))):
		}
	}
	return gone, left, nil
}

func presentOf(ctx context.Context, conn *pgx.Conn, sessions []Session) (map[int]*time.Time, error) {
	return startsOf(ctx, conn, sessions, "")
}

// startsOf are the starts of those of the sessions that a condition holds for.
func startsOf(ctx context.Context, conn *pgx.Conn, sessions []Session, and string, args ...any) (map[int]*time.Time, error) {
	pids := make([]int, len(sessions))
	for i, s := range sessions {
		pids[i] = s.PID
	}
	rows, err := conn.Query(ctx, `SELECT a.pid, a.backend_start FROM `+activity+` WHERE a.pid OPERATOR(pg_catalog.=) ANY ($1::int[]) `+and,
		append([]any{execMode(conn), int4s(pids)}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("look for ended sessions: %w", err)
	}
	present := make(map[int]*time.Time)
	var pid int
	var started *time.Time
	if _, err := pgx.ForEachRow(rows, []any{&pid, &started}, func() error {
		present[pid] = started
		return nil
	}); err != nil {
		return nil, fmt.Errorf("look for ended sessions: %w", err)
	}
	return present, nil
}
