package runbook_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// waits starts a statement on a session and returns when it waits for a lock.
func waits(t *testing.T, admin, c *pgx.Conn, statement string) {
	t.Helper()
	go func() { _, _ = c.Exec(ctx, statement) }()
	pid := c.PgConn().PID()
	pgtest.Eventually(t, 10*time.Second, statement+" waits", func() bool {
		return pgtest.Count(t, admin, fmt.Sprintf("pid = %d AND wait_event_type = 'Lock'", pid)) == 1
	})
}

func TestAChainOfSessionsThatWaitIsShownFromItsRoot(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db := s.NewDatabase()
	admin := s.Admin("postgres")
	root, first, second := db.Open(1, "web")[0], db.Open(1, "first")[0], db.Open(1, "second")[0]
	for _, statement := range []string{"CREATE TABLE orders (id int)", "BEGIN", "LOCK TABLE orders"} {
		if _, err := root.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	waits(t, admin, first, "SELECT * FROM orders")
	waits(t, admin, second, "ALTER TABLE orders ADD name text") // behind the first, too
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	r, err := d.Who(ctx)
	if err != nil || len(r.Blockers) != 1 {
		t.Fatalf("%+v, %v", r.Blockers, err)
	}
	b, pid := r.Blockers[0], int(root.PgConn().PID())
	if b.PID != pid || b.Lock != "relation orders" || len(b.Waiting) != 2 || b.Waiting[0].Depth != 1 || b.Waiting[0].ForMS == 0 || !strings.Contains(b.Holder, fmt.Sprint("pid ", os.Getpid())) {
		t.Errorf("%+v", b)
	}
	for _, part := range []string{fmt.Sprintf("2 sessions wait for pid %d (idle in transaction", pid), "holds relation orders", "of 37 usable slots in use"} {
		if !strings.Contains(r.Headline(), part) {
			t.Errorf("%s, want %s", r.Headline(), part)
		}
	}
	end := fmt.Sprintf("mage db:cleanup -pid=%d", pid)
	if r.Next != end {
		t.Errorf("next %q, want %q", r.Next, end)
	}

	clean, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || clean.Next != end || !strings.Contains(strings.Join(clean.Notes, "\n"), "which is spared: idle in transaction") {
		t.Errorf("%q, %q, %v", clean.Next, clean.Notes, err)
	}
	if done, err := d.Cleanup(ctx, runbook.CleanupOptions{PID: pid}); err != nil || !done.OK || done.Ended != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	pgtest.Eventually(t, 10*time.Second, "nobody waits any more", func() bool {
		r, err := d.Who(ctx)
		return err == nil && len(r.Blockers) == 0
	})
}

func TestWhatAMigrationOrAPreparedTransactionHoldsIsNamed(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40, Settings: map[string]string{"max_prepared_transactions": "2"}})
	for name, c := range map[string]struct {
		holds []string
		waits string
		want  string
	}{
		"advisory lock": {[]string{"SELECT pg_advisory_lock(72707369)"}, "SELECT pg_advisory_lock(72707369)", "holds advisory lock"},
		"prepared":      {[]string{"CREATE TABLE t (id int)", "BEGIN", "LOCK TABLE t", "PREPARE TRANSACTION 'left'"}, "SELECT * FROM t", "1 session waits for a prepared transaction"},
	} {
		db := s.NewDatabase()
		holder, other := db.Open(1, "holder")[0], db.Open(1, "other")[0]
		for _, statement := range c.holds {
			if _, err := holder.Exec(ctx, statement); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		waits(t, s.Admin("postgres"), other, c.waits)
		r, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5")).Who(ctx)
		var said []string
		for _, b := range r.Blockers {
			said = append(said, b.Words())
		}
		if err != nil || !strings.Contains(strings.Join(said, "\n"), c.want) {
			t.Errorf("%s: %q, %v; want %s", name, said, err, c.want)
		}
	}
}
