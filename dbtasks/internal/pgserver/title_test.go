package pgserver

import (
	"fmt"
	"strings"
	"testing"
)

// Captured from PostgreSQL 15 and 18, with and without cluster_name, and with
// names that hold blanks, quotes and parentheses.
func TestTitlesOfClientBackendsAreReadAndAllOthersAreNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title, prefix, names, addr, port, state string
	}{
		{"postgres: app shop 127.0.0.1(51000) idle", "", "app shop", "127.0.0.1", "51000", "idle"},
		{"postgres: app shop ::1(51000) idle in transaction", "", "app shop", "::1", "51000", "idle in transaction"},
		{"postgres: app shop [local] idle", "", "app shop", "", "", "idle"},
		{"postgres: app shop 127.0.0.1(51000) idle in transaction (aborted)", "", "app shop", "127.0.0.1", "51000", "idle in transaction (aborted)"},
		{"postgres: app shop 127.0.0.1(51000) SELECT waiting", "", "app shop", "127.0.0.1", "51000", "SELECT waiting"},
		{"postgres: app shop 127.0.0.1(51000) authentication", "", "app shop", "127.0.0.1", "51000", "authentication"},
		{"postgres: app shop 127.0.0.1(51000) startup", "", "app shop", "127.0.0.1", "51000", "startup"},
		{"postgres: app shop my-laptop.local(51000) idle", "", "app shop", "my-laptop.local", "51000", "idle"},
		{"postgres: 15/main: app shop 127.0.0.1(51000) idle", "15/main: ", "app shop", "127.0.0.1", "51000", "idle"},
		{"postgres: my role my db 127.0.0.1(51000) idle", "", "my role my db", "127.0.0.1", "51000", "idle"},
		{`postgres: x(1) [local] "y" fe80::1%eth0(51000) idle`, "", `x(1) [local] "y"`, "fe80::1%eth0", "51000", "idle"},
		{"postgres: app shop [local] ", "", "app shop", "", "", ""},
	} {
		got, ok := ParseTitle(c.title, c.prefix)
		if want := (Title{c.names, c.addr, c.port, c.state}); !ok || got != want {
			t.Errorf("%q: %v %+v, want %+v", c.title, ok, got, want)
		}
	}
	for _, title := range []string{
		"", "postgres", "/usr/lib/postgresql/15/bin/postgres -D /data", "postgres: checkpointer ", "postgres: background writer ", "postgres: autovacuum launcher ",
		"postgres: walsender repl 127.0.0.1(51000) streaming 0/3000060", "postgres: walsender repl [local] idle", "postgres: walreceiver streaming 0/3000060",
		"postgres: autovacuum worker shop", "postgres: parallel worker for PID 4242 ", "postgres: logical replication launcher ", "postgres: startup recovering 000000010000000000000001",
		"postgres: app shop", "node postgres: app shop 127.0.0.1(51000) idle",
	} {
		if got, ok := ParseTitle(title, ""); ok {
			t.Errorf("%q was read as a client's: %+v", title, got)
		}
	}
}

func TestTheClusterNameIsReadOffTheBackgroundProcesses(t *testing.T) {
	t.Parallel()
	for want, titles := range map[string][]string{
		"":                    {"postgres: app checkpointer 127.0.0.1(1) idle", "postgres: checkpointer "},
		"15/main: ":           {"postgres: 15/main: app shop [local] idle", "postgres: 15/main: walwriter "},
		"a: b checkpointer: ": {"postgres: a: b checkpointer: background writer"},
	} {
		if got := ClusterPrefix(titles); got != want {
			t.Errorf("%q: %q, want %q", titles, got, want)
		}
	}
	if got := ClusterPrefix(nil); got != "" {
		t.Errorf("%q", got)
	}
}

func TestABackendIsOfADatabaseOnlyWhereItsNamesCanBeCutInOneWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names, role, database, ofRole string
		ok                            bool
	}{
		{"app shop", "app", "shop", "app", true},
		{"other shop", "app", "shop", "other", true},
		{"app shop2", "app", "shop", "", false},
		{"shop app", "app", "shop", "", false},
		{"my role my db", "my role", "my db", "my role", true},
		{"my role my db", "app", "db", "", false}, // role "my role my"? database "my db"? nobody knows
		{"a b shop", "app", "shop", "", false},
	} {
		role, ok := Title{Names: c.names}.Of(c.role, c.database)
		if role != c.ofRole || ok != c.ok {
			t.Errorf("%q of %s/%s: %q %v, want %q %v", c.names, c.role, c.database, role, ok, c.ofRole, c.ok)
		}
	}
}

func FuzzParseTitle(f *testing.F) {
	f.Add("postgres: 15/main: my role my db 127.0.0.1(51000) idle", "15/main: ")
	f.Add("postgres: app shop [local] idle", "")
	f.Fuzz(func(t *testing.T, title, prefix string) {
		got, ok := ParseTitle(title, prefix)
		if !ok {
			return
		}
		where := " [local]"
		if got.Port != "" {
			where = " " + got.Addr + "(" + got.Port + ")"
		}
		// What was read, put together again, is how the title begins.
		whole := titlePrefix + prefix + got.Names + where
		if len(title) < len(whole) || title[:len(whole)] != whole {
			t.Errorf("%q read as %+v", title, got)
		}
	})
}

// Whatever a role, a database and a cluster are called, the title that
// PostgreSQL makes of them is read as theirs.
func FuzzTitleRoundTrip(f *testing.F) {
	f.Add("app", "shop", "", uint16(51000), "idle")
	f.Add("my role", "b [local] idle", "15/main: ", uint16(0), "idle in transaction (aborted)")
	f.Add("app 127.0.0.1(5432)", "shop", "", uint16(1), "SELECT waiting")
	f.Fuzz(func(t *testing.T, role, database, prefix string, port uint16, state string) {
		states := map[string]bool{"idle": true, "idle in transaction": true, "idle in transaction (aborted)": true, "SELECT waiting": true, "startup": true, "authentication": true}
		if role == "" || database == "" || !states[state] {
			t.Skip("no such title")
		}
		for _, s := range special {
			if strings.HasPrefix(role+" "+database, s) {
				t.Skip("reads as a worker's: such a role is left alone")
			}
		}
		where := "[local]"
		if port > 0 {
			where = fmt.Sprintf("127.0.0.1(%d)", port)
		}
		got, ok := ParseTitle(titlePrefix+prefix+role+" "+database+" "+where+" "+state, prefix)
		if !ok || got.Names != role+" "+database || got.State != state || (port > 0) != (got.Port != "") {
			t.Errorf("role %q, database %q: %v %+v", role, database, ok, got)
		}
		if of, ok := got.Of(role, database); !ok || of != role {
			t.Errorf("role %q, database %q: of %q %v", role, database, of, ok)
		}
	})
}
