// Package pgops is PostgreSQL over SQL: the lazy pool, logging in afresh, the
// sessions of a database, ending them, the server's slots, and telling apart
// why a login failed. It knows nothing of processes or of the screen.
package pgops

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// ApplicationName marks every session of this tool in pg_stat_activity.
const ApplicationName = "dbtasks"

// LazyPool makes one pgxpool.Pool at first use and hands the same one to
// everybody after that. No session is opened before somebody asks for one.
//
// Its size is the URL's pool limit, and waiting for a session of it ends after
// the URL's pool_timeout (0: the caller's context alone decides), also for
// callers who use the pool's own Query and Exec.
type LazyPool struct {
	url *settings.URL
	pin *Pin // of every session of this pool

	mu   sync.Mutex    // guards pool
	pool *pgxpool.Pool // nil until the first Pool
}

// NewLazyPool takes the URL to connect to; it connects to nothing.
func NewLazyPool(url *settings.URL) *LazyPool { return &LazyPool{url: url, pin: NewPin(url)} }

// URL is the one that the pool logs in with.
func (l *LazyPool) URL() *settings.URL { return l.url }

// Pin is the one address of the URL that the pool's sessions go to.
func (l *LazyPool) Pin() *Pin { return l.pin }

// Pool returns the pool, made at the first call. The context bounds nothing
// that outlives the call: cancelling it later does not close the pool.
func (l *LazyPool) Pool(ctx context.Context) (*pgxpool.Pool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pool != nil {
		return l.pool, nil
	}
	cfg, err := l.url.PoolConfig()
	if err != nil {
		return nil, err
	}
	if l.url.PoolTimeout > 0 {
		cfg.ConnConfig.Tracer = acquireTimeout(l.url.PoolTimeout)
	}
	cfg.BeforeConnect = l.pin.Apply
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return nil, fmt.Errorf("make the pool for %s: %w", l.url.Masked(), err)
	}
	l.pool = pool
	return pool, nil
}

// Acquire takes a session of the pool; the first one logs in. A failed login
// comes back within the URL's connect timeout.
func (l *LazyPool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	pool, err := l.Pool(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.url.ConnectTimeout)
	defer cancel()
	for {
		c, err := pool.Acquire(ctx)
		if err == nil || !l.pin.moveOn(err) {
			return c, err
		}
	}
}

// AcquireFresh takes a session that has just logged in: sessions that lie idle
// in the pool are closed first, so that there is one session at any time.
func (l *LazyPool) AcquireFresh(ctx context.Context) (*pgxpool.Conn, error) {
	pool, err := l.Pool(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range pool.AcquireAllIdle(ctx) {
		closeConn(ctx, c.Hijack())
	}
	return l.Acquire(ctx)
}

// Close closes the pool and waits until its sessions are closed, at most 2 s:
// pgx itself waits 15 s for the end of a session that was cut off. A later use
// makes a new pool.
func (l *LazyPool) Close() {
	l.mu.Lock()
	pool := l.pool
	l.pool = nil
	l.mu.Unlock()
	if pool == nil {
		return
	}
	closed := make(chan struct{})
	go func() { pool.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
	}
}

// closeTimeout bounds each goodbye to a server that may not answer any more.
const closeTimeout = 2 * time.Second

// closeConn says goodbye and waits a moment for the socket to close, so that
// the slot is free when the next login asks for it.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
	select {
	case <-conn.PgConn().CleanupDone():
	case <-ctx.Done():
	}
}

// acquireTimeout bounds every Acquire of a pool. pgxpool has no setting for
// it, but acquires with the context that its tracer returns.
type acquireTimeout time.Duration

type cancelKey struct{}

func (t acquireTimeout) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t))
	return context.WithValue(ctx, cancelKey{}, cancel)
}

func (t acquireTimeout) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

// pgx wants a QueryTracer in the field that pgxpool looks for an AcquireTracer in.
func (t acquireTimeout) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (t acquireTimeout) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
