package pgserver

import (
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Title is what the title of one of the server's processes tells, as ps shows
// it: "postgres: ROLE DATABASE ADDRESS(PORT) STATE", with "[local]" for a Unix
// socket, and "postgres: CLUSTER: …" where cluster_name is set (Debian sets
// it). Titles are off with update_process_title=off, the default on Windows.
type Title struct {
	Names string // role and database with a blank between; both may hold blanks themselves
	Addr  string // of the client; empty: Unix socket
	Port  string // of the client; empty: Unix socket
	State string // idle, active's command tag, "idle in transaction", authentication, startup, …
}

// background are processes that every server has, by the end of their titles.
var background = []string{"checkpointer", "background writer", "walwriter", "autovacuum launcher", "logical replication launcher", "logger", "archiver", "stats collector"}

const titlePrefix = "postgres: "

// ClusterPrefix is what stands before the names in every title of one server
// ("15/main: "), read off its background processes. It is empty where
// cluster_name is not set.
func ClusterPrefix(titles []string) string {
	for _, title := range titles {
		rest, ok := strings.CutPrefix(strings.TrimRight(title, " "), titlePrefix)
		if !ok {
			continue
		}
		for _, name := range background {
			if prefix, ok := strings.CutSuffix(rest, name); ok && (prefix == "" || strings.HasSuffix(prefix, ": ")) {
				return prefix
			}
		}
	}
	return ""
}

// client matches the client's address in a title. The last one counts: a name
// before it may look like one, a state behind it never does.
var client = lazyregexp.New(` (?:\[local\]|([^ ()]+)\(([0-9]+)\))(?: |$)`)

// special are the processes that have a role or database in their titles and
// serve no ordinary client.
var special = []string{"walsender ", "walreceiver", "autovacuum worker", "parallel worker", "bgworker", "logical replication", "startup recovering"}

// ParseTitle reads the title of a backend that serves a client. ok is false for
// everything else: background processes, WAL senders, workers, the postmaster,
// titles that are off.
func ParseTitle(title, clusterPrefix string) (t Title, ok bool) {
	rest, ok := strings.CutPrefix(title, titlePrefix+clusterPrefix)
	if !ok {
		return t, false
	}
	for _, s := range special {
		if strings.HasPrefix(rest, s) {
			return t, false
		}
	}
	matches := client().FindAllStringSubmatchIndex(rest, -1)
	if len(matches) == 0 {
		return t, false
	}
	m := matches[len(matches)-1]
	t.Names, t.State = rest[:m[0]], strings.TrimSpace(rest[m[1]:])
	if m[2] >= 0 {
		t.Addr, t.Port = rest[m[2]:m[3]], rest[m[4]:m[5]]
	}
	return t, strings.Contains(t.Names, " ")
}

// Of tells whether the backend serves this database, and for which role. Names
// with blanks can be cut in two ways: then only the one exact pair counts that
// the caller knows.
func (t Title) Of(role, database string) (ofRole string, ok bool) {
	if t.Names == role+" "+database {
		return role, true
	}
	ofRole, ofDatabase, _ := strings.Cut(t.Names, " ")
	if strings.Contains(ofDatabase, " ") || ofDatabase != database {
		return "", false
	}
	return ofRole, true
}

// Pair are role and database where the names hold one blank, and can be cut
// in one way only.
func (t Title) Pair() (role, database string, ok bool) {
	role, database, ok = strings.Cut(t.Names, " ")
	return role, database, ok && !strings.Contains(database, " ")
}
