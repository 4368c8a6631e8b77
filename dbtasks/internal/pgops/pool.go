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

// LazyPool makes its pgxpool.Pools at first use and hands the same ones to
// everybody after that. No session is opened before somebody asks for one.
//
// There are two: the tool's own, whose sessions have the tool's settings
// whatever role, database and URL say, and the one that a project's own code
// is given, whose sessions are as the URL has them. The size of each is the
// URL's pool limit, and waiting for a session of it ends after
// the URL's pool_timeout (0: the caller's context alone decides), also for
// callers who use the pool's own Query and Exec.
type LazyPool struct {
	url *settings.URL
	pin *Pin // of every session of this pool

	mu       sync.Mutex    // guards both
	own, app *pgxpool.Pool // nil until they are asked for
}

// NewLazyPool takes the URL to connect to; it connects to nothing.
func NewLazyPool(url *settings.URL) *LazyPool { return &LazyPool{url: url, pin: NewPin(url)} }

// URL is the one that the pool logs in with.
func (l *LazyPool) URL() *settings.URL { return l.url }

// Pin is the one address of the URL that the pool's sessions go to.
func (l *LazyPool) Pin() *Pin { return l.pin }

// Pool returns the pool for a project's own code, made at the first call. The
// context bounds nothing that outlives the call: cancelling it later does not
// close the pool.
func (l *LazyPool) Pool(ctx context.Context) (*pgxpool.Pool, error) {
	return l.made(ctx, &l.app, l.url.AppPoolConfig)
}

func (l *LazyPool) made(ctx context.Context, pool **pgxpool.Pool, config func() (*pgxpool.Config, error)) (*pgxpool.Pool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *pool != nil {
		return *pool, nil
	}
	cfg, err := config()
	if err != nil {
		return nil, err
	}
	if pool == &l.own {
		bound(cfg.ConnConfig, l.url)
	}
	if l.url.PoolTimeout > 0 {
		cfg.ConnConfig.Tracer = acquireTimeout{cfg.ConnConfig.Tracer, l.url.PoolTimeout}
	}
	before := cfg.BeforeConnect
	cfg.BeforeConnect = func(ctx context.Context, conn *pgx.ConnConfig) error {
		if before != nil {
			if err := before(ctx, conn); err != nil {
				return err
			}
		}
		return l.pin.Apply(ctx, conn)
	}
	made, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return nil, fmt.Errorf("make the pool for %s: %w", l.url.Masked(), err)
	}
	*pool = made
	return made, nil
}

// Acquire takes a session of the tool's own; the first one logs in. A failed
// login comes back within the URL's connect timeout.
func (l *LazyPool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	pool, err := l.made(ctx, &l.own, l.url.PoolConfig)
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

// AcquireFresh takes a session of the tool's own that has just logged in:
// sessions that lie idle are closed first, so that there is one session at any time.
func (l *LazyPool) AcquireFresh(ctx context.Context) (*pgxpool.Conn, error) {
	pool, err := l.made(ctx, &l.own, l.url.PoolConfig)
	if err != nil {
		return nil, err
	}
	for _, c := range pool.AcquireAllIdle(ctx) {
		closeConn(ctx, c.Hijack())
	}
	return l.Acquire(ctx)
}

// Close closes the pools and waits until their sessions are closed, at most
// 2 s: pgx itself waits 15 s for the end of a session that was cut off. A later
// use makes new ones.
func (l *LazyPool) Close() {
	l.mu.Lock()
	pools := []*pgxpool.Pool{l.own, l.app}
	l.own, l.app = nil, nil
	l.mu.Unlock()
	var closing sync.WaitGroup
	for _, pool := range pools {
		if pool != nil {
			closing.Go(pool.Close)
		}
	}
	closed := make(chan struct{})
	go func() { closing.Wait(); close(closed) }()
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
// it, but acquires with the context that its tracer returns. It looks for that
// tracer in the field of the sessions' own, which stays what it was.
type acquireTimeout struct {
	session pgx.QueryTracer // nil: none
	timeout time.Duration
}

type cancelKey struct{}

func (t acquireTimeout) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	return context.WithValue(ctx, cancelKey{}, cancel)
}

func (t acquireTimeout) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

func (t acquireTimeout) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if t.session == nil {
		return ctx
	}
	return t.session.TraceQueryStart(ctx, conn, data)
}

func (t acquireTimeout) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	if t.session != nil {
		t.session.TraceQueryEnd(ctx, conn, data)
	}
}
