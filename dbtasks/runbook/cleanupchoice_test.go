package runbook_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// inUse is a database with two idle sessions, one that listens, one idle in
// transaction and one that runs a statement for a minute, whose end it tells.
type inUse struct {
	db                pgtest.Database
	s                 *pgtest.Server
	idle, transaction int // pids
	active, listens   int
	over              chan error
}

func openInUse(t *testing.T, s *pgtest.Server) inUse {
	t.Helper()
	db := s.NewDatabase()
	u := inUse{db: db, s: s, over: make(chan error, 1)}
	pid := func(n string) int {
		c := db.Open(1, n)[0]
		switch n {
		case "transaction":
			if _, err := c.Exec(ctx, "BEGIN"); err != nil {
				t.Fatal(err)
			}
		case "listens":
			if _, err := c.Exec(ctx, "LISTEN news"); err != nil {
				t.Fatal(err)
			}
		case "active":
			go func() { _, err := c.Exec(ctx, "SELECT pg_sleep(60)"); u.over <- err }()
		}
		return int(c.PgConn().PID())
	}
	u.idle, u.transaction, u.listens, u.active = pid("idle"), pid("transaction"), pid("listens"), pid("active")
	pid("idle too")
	admin := s.Admin("postgres")
	pgtest.Eventually(t, 10*time.Second, "the statement runs", func() bool {
		return pgtest.Count(t, admin, "application_name = 'active' AND state = 'active' AND datname = '"+db.Name+"'") == 1
	})
	return u
}

func TestACleanupOfAChoiceEndsExactlyThat(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	elsewhere := int(s.NewDatabase().Open(1, "elsewhere")[0].PgConn().PID())
	for name, c := range map[string]struct {
		options func(u inUse) runbook.CleanupOptions
		want    func(u inUse) []int
		failure string // or this
	}{
		"a state":            {options: func(inUse) runbook.CleanupOptions { return runbook.CleanupOptions{State: "idle_in_transaction"} }, want: func(u inUse) []int { return []int{u.transaction} }},
		"a state, too young": {options: func(inUse) runbook.CleanupOptions { return runbook.CleanupOptions{State: "active", Idle: time.Hour} }, want: func(inUse) []int { return nil }},
		"a state by force":   {options: func(inUse) runbook.CleanupOptions { return runbook.CleanupOptions{State: "active", Force: true} }, want: func(u inUse) []int { return []int{u.active} }},
		"a pid":              {options: func(u inUse) runbook.CleanupOptions { return runbook.CleanupOptions{PID: u.transaction} }, want: func(u inUse) []int { return []int{u.transaction} }},
		"a pid that listens": {options: func(u inUse) runbook.CleanupOptions { return runbook.CleanupOptions{PID: u.listens} }, want: func(u inUse) []int { return []int{u.listens} }},
		"another database's": {options: func(inUse) runbook.CleanupOptions { return runbook.CleanupOptions{PID: elsewhere} }, failure: "no_such_session"},
		"nobody's":           {options: func(inUse) runbook.CleanupOptions { return runbook.CleanupOptions{PID: 4194303} }, failure: "no_such_session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := openInUse(t, s)
			d, o := opened(t, t.TempDir(), "DATABASE_URL="+u.db.URL("connection_limit=5")), c.options(u)
			if c.failure != "" {
				_, err := d.Cleanup(ctx, o)
				failure(t, err, c.failure, runbook.ExitNotDone)
				if n := s.Sessions(u.db.Name); n < 5 {
					t.Errorf("%d sessions are left of 5", n)
				}
				return
			}
			want := c.want(u)
			for _, dry := range []bool{true, false} {
				o.Dry = dry
				r, err := d.Cleanup(ctx, o)
				if err != nil || !r.OK {
					t.Fatalf("%+v, %v", r, err)
				}
				var plan []int
				for _, chosen := range r.Plan {
					plan = append(plan, chosen.PID)
				}
				if ended := map[bool]int{true: 0, false: len(want)}[dry]; !slices.Equal(plan, want) || r.Ended != ended {
					t.Errorf("dry %v: plan %v, ended %d; want %v", dry, plan, r.Ended, want)
				}
			}
		})
	}
}

func TestACancelledStatementEndsAndItsSessionStays(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	for _, byPID := range []bool{false, true} {
		u := openInUse(t, s)
		o := runbook.CleanupOptions{Cancel: true}
		if byPID {
			o.PID = u.active
		}
		r, err := opened(t, t.TempDir(), "DATABASE_URL="+u.db.URL("connection_limit=5")).Cleanup(ctx, o)
		if err != nil || !r.OK || !r.Cancel || r.Ended != 1 || len(r.Plan) != 1 || r.Plan[0].PID != u.active {
			t.Fatalf("%+v, %v", r, err)
		}
		var refused *pgconn.PgError
		if err := <-u.over; !errors.As(err, &refused) || refused.Code != "57014" {
			t.Errorf("the statement ended with %v, want query_canceled", err)
		}
		if n := pgtest.Count(t, s.Admin("postgres"), "application_name IN ('active', 'idle', 'idle too', 'listens', 'transaction') AND datname = '"+u.db.Name+"'"); n != 5 {
			t.Errorf("%d sessions are left of 5", n)
		}
	}
}

func TestWhatCannotBeChosenIsRefusedWithTheLineToType(t *testing.T) {
	t.Parallel()
	d := opened(t, t.TempDir(), "DATABASE_URL=postgresql://app@127.0.0.1:1/shop?connection_limit=5")
	for next, o := range map[string]runbook.CleanupOptions{
		"mage db:cleanup -state=idle_in_transaction": {State: "idle in transaction"},
		"mage db:cleanup -pid=4242":                  {PID: -1},
		"mage db:cleanup -cancel -state=active":      {Cancel: true, State: "idle"},
	} {
		_, err := d.Cleanup(ctx, o)
		if f := failure(t, err, "usage", runbook.ExitSettings); f.Next != next {
			t.Errorf("%s, want %s", f.Next, next)
		}
	}
}

// A full server is no reason to end another session than the one that is asked for.
func TestNoOtherSessionIsEndedToGetInForAChoice(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	sessions := db.Open(17, "leak")
	fillReserved(t, s)
	_, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5")).Cleanup(ctx, runbook.CleanupOptions{State: "idle_in_transaction"})
	failure(t, err, "slots_full", runbook.ExitNotDone)
	for _, c := range sessions {
		if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
			t.Errorf("a session was ended: %v", err)
		}
	}
}
