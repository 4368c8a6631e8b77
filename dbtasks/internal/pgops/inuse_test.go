package pgops_test

import (
	"fmt"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestIdleSessionsThatAreInUseAreSparedUnlessForced(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	db, other := s.NewDatabase(), s.NewDatabase()
	gaps := other.Open(4, "elsewhere") // whose numbers are free again below
	db.Open(4, "leak")
	for app, statements := range map[string][]string{
		"listener":  {"SET work_mem = '1MB'", `LISTEN "jobs"`},
		"lower":     {"-- jobs\nlisten jobs"},
		"locker":    {"SELECT pg_advisory_lock(72707369)"},
		"trier":     {"SELECT pg_try_advisory_lock_shared(1, 2)", "SELECT 1"},
		"temporary": {"CREATE TEMP TABLE half_a_day AS SELECT 1", "SELECT 1"},
		"migration": {"BEGIN", "SELECT 1"},
		"finished":  {"LISTEN jobs", "UNLISTEN jobs"},
		"unlocked":  {"SELECT pg_advisory_lock(5)", "SELECT pg_advisory_unlock(5)"},
		"dropped":   {"CREATE TEMP TABLE gone AS SELECT 1", "DROP TABLE gone"},
		"words":     {"SELECT 'please listen to me'"},
	} {
		for _, conn := range db.Open(1, app) {
			for _, statement := range statements {
				if _, err := conn.Exec(ctx, statement); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	db.Open(4, "leak")
	conn := login(t, db.URL("connection_limit=3"))
	want := map[string]pgops.Verdict{
		"listener": pgops.VerdictListens, "lower": pgops.VerdictListens, "locker": pgops.VerdictLocks, "trier": pgops.VerdictLocks,
		"temporary": pgops.VerdictTemporary, "migration": pgops.VerdictInTx,
		"finished": pgops.VerdictEnd, "unlocked": pgops.VerdictEnd, "dropped": pgops.VerdictEnd, "words": pgops.VerdictEnd, "leak": pgops.VerdictEnd,
	}
	res, err := pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range res.Judged {
		if j.Verdict != want[j.ApplicationName] {
			t.Errorf("%s: %q, want %q", j.ApplicationName, j.Verdict, want[j.ApplicationName])
		}
	}
	// With numbers that ended sessions left behind, an older server does not
	// tell which of the sessions around it a temporary schema is of: it is spared
	// in any case, and perhaps as many more as there are such numbers.
	for _, c := range gaps {
		if err := c.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if res, err = pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name}); err != nil {
		t.Fatal(err)
	}
	spared := 0
	for _, j := range res.Judged {
		if j.Verdict == pgops.VerdictTemporary {
			spared++
		}
		if inUse := want[j.ApplicationName].InUse(); inUse && j.Signalled {
			t.Errorf("%s was ended", j.ApplicationName)
		}
	}
	if spared < 1 || spared > 1+len(gaps) || len(res.Ended)+spared != 8+4+1 {
		t.Errorf("%d spared for a temporary schema, %d ended", spared, len(res.Ended))
	}
	if res, err = pgops.End(ctx, conn, pgops.EndOptions{Database: db.Name, Force: true}); err != nil || len(res.Ended) != len(res.Judged) || len(res.Judged) < 6 {
		t.Errorf("force: %v of %d, %v", len(res.Ended), len(res.Judged), err)
	}
	if n := fmt.Sprint(len(res.LeftOver)); n != "0" {
		t.Errorf("%s left over", n)
	}
}

func TestWhatAnotherProjectsProcessHoldsIsSparedUnlessForced(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 40})
	db := s.NewDatabase()
	theirs := db.Open(1, "theirs")[0]
	db.Open(2, "ours")
	conn := login(t, db.URL("connection_limit=3"))
	o := pgops.EndOptions{Database: db.Name, Others: []int{int(theirs.PgConn().PID())}}
	res, err := pgops.End(ctx, conn, o)
	if err != nil || len(res.Ended) != 2 || verdicts(res)[pgops.VerdictOthers] != 1 || theirs.Ping(ctx) != nil {
		t.Errorf("%+v, %v", verdicts(res), err)
	}
	o.Force = true
	if res, err = pgops.End(ctx, conn, o); err != nil || len(res.Ended) != 1 {
		t.Errorf("force: %+v, %v", verdicts(res), err)
	}
}
