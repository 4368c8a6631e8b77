package runbook

import (
	"context"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// TestOptions are the flags of db:test.
type TestOptions struct {
	Wait time.Duration // retry until it answers, at most this long; 0: one try
}

// TestReport is what a fresh login found.
type TestReport struct {
	OK        bool     `json:"ok"`
	Target    Place    `json:"target"`
	Route     Route    `json:"route"`
	Address   string   `json:"address,omitempty"`       // where it answered: IP address and port, or a socket's path
	Others    []string `json:"other_servers,omitempty"` // on the same port at other addresses of this machine
	Version   string   `json:"version"`
	PGlite    bool     `json:"pglite,omitempty"` // no server of processes: one connection at a time, and the slots mean nothing
	Pooler    bool     `json:"pooler"`           // the login went through a connection pooler
	Bouncer   *Bouncer `json:"pgbouncer,omitempty"`
	LoginMS   float64  `json:"login_ms"`   // from the call to the session: name, TCP, TLS, password
	LatencyMS float64  `json:"latency_ms"` // one query, there and back
	Slots     Slots    `json:"slots"`
	Usable    int      `json:"usable"`
	Free      int      `json:"free"`
	PoolLimit int      `json:"pool_limit"` // of DATABASE_URL
	Recovery  bool     `json:"in_recovery"`
	Ignored   []string `json:"ignored_parameters,omitempty"` // of the URL: neither PostgreSQL nor this tool knows them
	WaitedMS  int64    `json:"waited_ms,omitempty"`
	Holders   string   `json:"holders,omitempty"` // who holds the slots, when more than half are taken
	// Direct is the login through DIRECT_URL, where one is set.
	Direct *TestReport `json:"direct,omitempty"`
}

// Test logs in afresh with DATABASE_URL and runs a query; where DIRECT_URL is
// set it does the same there. It never climbs the ladder: it answers whether
// the application could get in.
func (rb *Runbook) Test(ctx context.Context, o TestOptions) (TestReport, error) {
	if err := rb.connectLimited(); err != nil {
		return TestReport{}, err
	}
	url, err := rb.cfg.Database()
	if err != nil {
		return TestReport{}, err
	}
	began := time.Now()
	var report TestReport
	told := false
	defer rb.waiting("waiting for %s", where(url))()
	err = pgops.Retry(ctx, o.Wait, func(ctx context.Context) error {
		var err error
		report, err = testURL(ctx, rb, url)
		if err != nil && o.Wait > 0 && !told {
			told = true
			rb.progress("waiting up to %s for %s: %s", o.Wait, where(url), pgops.CauseOf(err))
		}
		return err
	})
	if err != nil {
		f := rb.loginFailed(ctx, url, err)
		if pgops.CauseOf(err).NoSlot() {
			if sc, err := sceneWithoutSession(ctx, rb); err == nil {
				sc.nameHolders(ctx, f, sc.seenFromOutside(rb))
			}
		}
		return TestReport{}, f
	}
	if told {
		report.WaitedMS = time.Since(began).Milliseconds()
	}
	direct, err := rb.cfg.Direct()
	if err != nil {
		return TestReport{}, err
	}
	if direct != nil {
		r, err := testURL(ctx, rb, direct)
		if err != nil {
			return TestReport{}, loginFailure(rb, direct, err)
		}
		report.Direct = &r
	}
	return report, nil
}

// testURL logs in once. The pool's own URL is tested through the pool, so that
// there is one session at any time and later targets of the run go on with it.
func testURL(ctx context.Context, rb *Runbook, url *settings.URL) (TestReport, error) {
	r := TestReport{OK: true, Route: RouteDatabaseURL, PoolLimit: url.Limit, Ignored: url.Ignored}
	if url.Origin.Variable == "DIRECT_URL" {
		r.Route = RouteDirectURL
	}
	// Login and query together: a server that hangs behind its login is no
	// better than one that hangs before it.
	limit := url.ConnectTimeout
	if url.SocketTimeout > 0 {
		limit = min(limit, url.SocketTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	s, err := freshSession(ctx, rb, url)
	if err != nil {
		return r, err
	}
	defer s.release()
	r.LoginMS = milliseconds(time.Since(began))
	told, err := pgops.Ask(ctx, s.conn)
	if err != nil {
		return r, err
	}
	if err := checkLimit(rb, told); err != nil {
		return r, err
	}
	r.Target = placeOf(url)
	r.Target.Database, r.Target.Role = told.Database, told.Role
	address := rb.pin(url).Address()
	r.Address, r.Others = address.Socket, server.Beside(ctx, address)
	if !address.IsUnix() {
		r.Address = address.TCP.String()
	}
	r.PGlite = told.PGlite
	r.Version, r.Pooler, r.Recovery = told.Version, pgops.Pooled(s.conn, told), told.InRecovery
	r.LatencyMS = milliseconds(told.Latency)
	r.Slots, r.Usable, r.Free = told.Slots, told.Slots.Usable(), told.Slots.Free()
	s.server, s.pooled = told, r.Pooler
	if r.PGlite {
		r.Slots, r.Usable, r.Free = pgops.Slots{}, 0, 0
		return r, nil
	}
	r.Holders = s.whenCrowded(ctx, rb, r.Slots)
	if (r.Pooler || url.PgBouncer) && r.Route == RouteDatabaseURL {
		if m, err := machine.Look(ctx); err == nil {
			r.Bouncer = askBouncer(ctx, rb, m)
		}
	}
	return r, nil
}

func freshSession(ctx context.Context, rb *Runbook, url *settings.URL) (*access, error) {
	if url.Origin.Variable == rb.pool.URL().Origin.Variable {
		c, err := rb.pool.AcquireFresh(ctx)
		if err != nil {
			return nil, err
		}
		return &access{conn: c.Conn(), pin: rb.pool.Pin(), release: c.Release}, nil
	}
	conn, err := rb.pin(url).Login(ctx)
	if err != nil {
		return nil, err
	}
	return &access{conn: conn, pin: rb.pin(url), release: func() { pgops.Logout(ctx, conn) }}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
