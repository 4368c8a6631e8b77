//go:build unix

package pgops_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestAFrozenBackendIsReportedAsLeftOver(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	frozen := int(db.Open(1, "frozen")[0].PgConn().PID())
	conn := login(t, db.URL("connection_limit=3"))
	if err := syscall.Kill(frozen, syscall.SIGSTOP); err != nil {
		t.Skipf("may not stop a backend of our own server: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Kill(frozen, syscall.SIGCONT) })
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	res, err := pgops.End(short, conn, pgops.EndOptions{Database: db.Name})
	if !errors.Is(err, context.DeadlineExceeded) && !pgconn.Timeout(err) {
		t.Errorf("error %v, want the context's", err)
	}
	if len(res.LeftOver) != 1 || len(res.Ended) != 0 {
		t.Errorf("ended %d, left over %d: signalled is not gone", len(res.Ended), len(res.LeftOver))
	}
}
