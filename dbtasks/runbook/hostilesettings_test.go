package runbook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestAnApplicationsRoleDoesNotBecomeASuperuserByOperatorsOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"evil, public, pg_catalog", `"$user", public`} {
		s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 30})
		db := s.NewDatabase()
		db.Hostile(path)
		// Once as the superuser in the application's own database, because its URL
		// says so, and once through the reserved slots of a full server.
		for _, env := range [][]string{
			{"DATABASE_URL=" + s.URL(s.Superuser, s.SuperuserPassword, db.Name, "connection_limit=2")},
			{"DATABASE_URL=" + db.URL("connection_limit=2"), "DBTASKS_ADMIN_URL=" + db.AdminURL()},
		} {
			d := opened(t, t.TempDir(), env...)
			if len(env) == 2 {
				db.Fill("leak")
			}
			for name, call := range map[string]func() error{
				"db:who":              func() error { _, err := d.Who(ctx); return err },
				"db:limits":           func() error { _, err := d.Limits(ctx, runbook.LimitsOptions{}); return err },
				"db:cleanup -dry":     func() error { _, err := d.Cleanup(ctx, runbook.CleanupOptions{Dry: true}); return err },
				"db:cleanup -idle=1h": func() error { _, err := d.Cleanup(ctx, runbook.CleanupOptions{Idle: time.Hour}); return err },
				"db:cleanup -force -idle=1h": func() error {
					_, err := d.Cleanup(ctx, runbook.CleanupOptions{Force: true, Idle: time.Hour})
					return err
				},
				"db:monitor -once": func() error {
					_, err := d.Monitor(ctx, runbook.MonitorOptions{Every: time.Second, Once: true}, func(runbook.MonitorSample) {})
					return err
				},
			} {
				if err := call(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if db.OwnerIsSuperuser() {
					t.Errorf("search_path %s: %s made the application's role a superuser", path, name)
					s.Exec("ALTER ROLE " + db.Role + " NOSUPERUSER")
				}
			}
			d.Close()
		}
	}
}

func TestNoSettingOfTheRoleOrItsDatabaseIsInTheWay(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 30})
	settings := map[string]string{
		"DateStyle": "'German, DMY'", "IntervalStyle": "'sql_standard'", "TimeZone": "'Asia/Kathmandu'", "extra_float_digits": "'-15'",
		"bytea_output": "'escape'", "statement_timeout": "'1ms'", "lock_timeout": "'1ms'", "default_transaction_read_only": "on",
		"default_transaction_isolation": "serializable", "default_transaction_deferrable": "on", "client_min_messages": "debug5",
		"standard_conforming_strings": "off", "idle_in_transaction_session_timeout": "'1ms'", "search_path": "''",
	}
	var version int
	if err := s.Admin("postgres").QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version >= 140000 {
		settings["idle_session_timeout"] = "'200ms'"
	}
	for _, style := range []string{"'German, DMY'", "'SQL, DMY'", "'Postgres, MDY'"} {
		settings["DateStyle"] = style
		byRole, byDatabase := s.NewDatabase(), s.NewDatabase()
		for name, value := range settings {
			s.Exec(fmt.Sprintf("ALTER ROLE %s SET %s = %s", byRole.Role, name, value), fmt.Sprintf("ALTER DATABASE %s SET %s = %s", byDatabase.Name, name, value))
		}
		for _, db := range []pgtest.Database{byRole, byDatabase} {
			t.Run(fmt.Sprint(style, db == byRole), func(t *testing.T) {
				d := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=2"))
				if r, err := d.Test(ctx, runbook.TestOptions{}); err != nil || !r.OK {
					t.Errorf("db:test: %+v, %v", r, err)
				}
				if _, err := d.Who(ctx); err != nil {
					t.Errorf("db:who: %v", err)
				}
				l, err := d.Limits(ctx, runbook.LimitsOptions{})
				if err != nil {
					t.Errorf("db:limits: %v", err)
				}
				for _, to := range l.Timeouts {
					if to.Name == "idle_session_timeout" && version >= 140000 && to.Value != 200*time.Millisecond {
						t.Errorf("db:limits says %+v, not the application's own", to)
					}
				}
				m, err := d.Monitor(ctx, runbook.MonitorOptions{Every: 500 * time.Millisecond, For: 2 * time.Second}, func(runbook.MonitorSample) {})
				if err != nil || m.Lost > 0 || m.Logins != 1 || m.Samples < 3 {
					t.Errorf("db:monitor: %+v, %v: the session was lost", m, err)
				}
				if r, err := d.Cleanup(ctx, runbook.CleanupOptions{Dry: true}); err != nil || !r.OK {
					t.Errorf("db:cleanup: %+v, %v", r, err)
				}
			})
		}
	}
}
