package runbook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestTheFirstLineOfWhoNamesWhyTheServerIsCrowded(t *testing.T) {
	t.Parallel()
	for cause, c := range map[string]struct {
		statement string // that each of 12 sessions begins
		line      string
		next      string
	}{
		runbook.CauseInTransaction: {"BEGIN", "12 sessions hold a transaction open and do nothing", "mage db:cleanup -state=idle_in_transaction -idle=1m"},
		runbook.CauseBurst:         {"SELECT pg_sleep(20)", "a burst: 12 sessions run statements", "mage db:monitor"},
		runbook.CauseNotClear:      {"SELECT 1", "12 idle", "mage db:monitor"},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, pgserver.DisposableOptions{})
			db := s.NewDatabase()
			for _, conn := range db.Open(12, "web") {
				if cause == runbook.CauseBurst {
					go func() { _, _ = conn.Exec(t.Context(), c.statement) }()
				} else if _, err := conn.Exec(ctx, c.statement); err != nil {
					t.Fatal(err)
				}
			}
			if cause == runbook.CauseBurst {
				admin := s.Admin("postgres")
				pgtest.Eventually(t, 10*time.Second, "all run", func() bool { return pgtest.Count(t, admin, "application_name = 'web' AND state = 'active'") == 12 })
			}
			r, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5")).Who(ctx)
			if err != nil || r.Diagnosis == nil || r.Diagnosis.Cause != cause || !strings.Contains(r.Headline(), c.line) || r.Next != c.next {
				t.Errorf("%+v, %s, next %q, %v", r.Diagnosis, r.Headline(), r.Next, err)
			}
		})
	}
}

func TestAServerWithRoomHasNoDiagnosis(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(3, "web")
	if r, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5")).Who(ctx); err != nil || r.Diagnosis != nil || r.Next != "" {
		t.Errorf("%+v, next %q, %v", r.Diagnosis, r.Next, err)
	}
}
