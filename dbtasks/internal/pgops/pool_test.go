package pgops_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestThePoolOpensNothingBeforeItIsAskedAndNeverMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	admin := s.Admin("postgres")
	sessions := func() int {
		return pgtest.Count(t, admin, "application_name = 'dbtasks' AND datname = $1", db.Name)
	}
	pool := pgops.NewLazyPool(urlOf(t, db.URL("connection_limit=3", "pool_timeout=1")))
	defer pool.Close()
	first, err := pool.Pool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := sessions(); n != 0 {
		t.Errorf("%d sessions before anybody asked", n)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			p, err := pool.Pool(ctx)
			if err != nil || p != first {
				t.Errorf("another pool: %v", err)
			}
			var one int
			if err := p.QueryRow(ctx, "SELECT 1 FROM pg_sleep(0.05)").Scan(&one); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := sessions(); n < 1 || n > 3 {
		t.Errorf("%d sessions, want 1 to 3", n)
	}
	pool.Close()
	pgtest.Eventually(t, 2*time.Second, "no session is left after Close", func() bool { return sessions() == 0 })
}

func TestWaitingForASessionOfThePoolEndsAfterPoolTimeout(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	pool := pgops.NewLazyPool(urlOf(t, db.URL("connection_limit=1", "pool_timeout=1")))
	defer pool.Close()
	p, err := pool.Pool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	held, err := p.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	began := time.Now()
	_, err = p.Exec(ctx, "SELECT 1") // the pool's own method, as a project's target would call it
	if waited := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || waited < 900*time.Millisecond || waited > 4*time.Second {
		t.Errorf("after %s: %v, want the deadline after 1 s", waited, err)
	}
}

func TestAFreshSessionReplacesTheIdleOneInsteadOfJoiningIt(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	admin := s.Admin("postgres")
	pool := pgops.NewLazyPool(urlOf(t, db.URL("connection_limit=2")))
	defer pool.Close()
	a, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := a.Conn().PgConn().PID()
	a.Release()
	b, err := pool.AcquireFresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if b.Conn().PgConn().PID() == before {
		t.Error("the session is not a fresh one")
	}
	// The server lists a session for a moment after its socket is closed.
	pgtest.Eventually(t, 2*time.Second, "there is one session of the tool", func() bool {
		return pgtest.Count(t, admin, "application_name = 'dbtasks'") == 1
	})
}
