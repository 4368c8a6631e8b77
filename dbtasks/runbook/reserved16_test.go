//go:build unix

package runbook_test

import (
	"fmt"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// PostgreSQL 16 has slots for roles with pg_use_reserved_connections, and words
// of its own for the refusal.
func TestTheReservedSlotsOfRolesFrom16OnAreCountedAndLetAnAdminIn(t *testing.T) {
	t.Parallel()
	if b := pgtest.Binaries(t); b.Major < 16 {
		t.Skipf("PostgreSQL %s has no reserved_connections", b.Version)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"reserved_connections": "2"}})
	db, admin := s.NewDatabase(), s.NewDatabase()
	s.Exec("GRANT pg_use_reserved_connections, pg_signal_backend, pg_read_all_stats TO " + admin.Role)
	held, _ := db.Fill("leak")
	if len(held) != 15 {
		t.Fatalf("%d sessions fit in, want 20 less 3 less 2", len(held))
	}
	d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"))
	_, err := d.Test(ctx, runbook.TestOptions{})
	failure(t, err, "slots_reserved", runbook.ExitNotDone)
	url := s.URL(admin.Role, admin.Password, db.Name)
	d = opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_ADMIN_URL="+url)
	r, err := d.Cleanup(ctx, runbook.CleanupOptions{})
	if err != nil || !r.OK || r.Route != runbook.RouteAdminURL || r.Ended != 15 || r.Usable != 15 || r.Slots.Reserved != 2 {
		t.Errorf("%s, %v", fmt.Sprintf("%+v", r), err)
	}
}
