package runbook

import (
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// loginFailure says why a login with this URL failed, in words, and the next
// step. The server's own words stand below the outcome.
func loginFailure(deps *Deps, url *settings.URL, err error) *Failure {
	if f := alreadyFailure(err); f != nil {
		return f
	}
	cause := pgops.CauseOf(err)
	if cause == pgops.CauseTLSWanted && triesTLS(url) {
		cause = pgops.CauseHBA // TLS was tried before: it is not what is missing
	}
	f := &Failure{Exit: ExitNotDone, Code: string(cause), Err: err}
	f.Message, f.Next = explain(deps, url, cause)
	if words, sqlstate := pgops.ServerWords(err); words != "" {
		f.Details = append(f.Details, fmt.Sprintf("the server says: %s (SQLSTATE %s)", words, sqlstate))
	} else if cause == pgops.CauseUnknown || cause == pgops.CauseTLSCertificate || cause == pgops.CauseNotPostgres {
		f.Details = append(f.Details, lastLine(err.Error()))
	}
	if len(url.Hosts) > 1 {
		f.Details = append(f.Details, "the URL names several hosts: each was tried")
	}
	return f
}

// triesTLS tells whether a login with this URL asks for TLS at all.
func triesTLS(url *settings.URL) bool {
	cfg, err := url.ConnConfig()
	if err != nil {
		return false
	}
	for _, fallback := range cfg.Fallbacks {
		if fallback.TLSConfig != nil {
			return true
		}
	}
	return cfg.TLSConfig != nil
}

// alreadyFailure finds a failure that needs no diagnosis: a wrong setting, or
// one that was diagnosed deeper down.
func alreadyFailure(err error) *Failure {
	if f := AsFailure(err); f != nil && f.Code != "failed" {
		return f
	}
	return nil
}

// lastLine is the last attempt of a driver's error that lists several; the
// driver puts addresses there, and no secret.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// origin is where the URL was read from, for "correct it there".
func origin(url *settings.URL) string {
	o := url.Origin
	switch {
	case o.File == "":
		return o.Variable + " (in the environment)"
	case o.Line > 0:
		return fmt.Sprintf("%s (%s, line %d)", o.Variable, o.File, o.Line)
	}
	return fmt.Sprintf("%s (%s)", o.Variable, o.File)
}

func explain(deps *Deps, url *settings.URL, cause pgops.Cause) (message, next string) {
	at := where(url)
	wait := deps.Command("db:test -wait=60s")
	cleanup := deps.Command("db:cleanup")
	switch cause {
	case pgops.CauseConnectionRefused:
		return fmt.Sprintf("Nothing accepts connections at %s: PostgreSQL is down, or listens elsewhere.", at),
			"start PostgreSQL, then: " + wait
	case pgops.CauseNoSuchHost:
		return fmt.Sprintf("The host of %s does not resolve to an address.", at), "correct the host in " + origin(url)
	case pgops.CauseUnreachable:
		return fmt.Sprintf("%s can't be reached from here: no route, no such address, or the socket is not ours to open.", at), "correct the host in " + origin(url)
	case pgops.CauseTimeout:
		return fmt.Sprintf("No answer from %s within %s: it hangs, is stopped, or a firewall drops the packets.", at, url.ConnectTimeout),
			"is the server frozen? " + deps.Command("dev:recover -restart=always")
	case pgops.CauseStartingUp:
		return fmt.Sprintf("PostgreSQL at %s is starting up and lets nobody in yet.", at), wait
	case pgops.CauseShuttingDown:
		return fmt.Sprintf("PostgreSQL at %s is shutting down; in smart mode it waits for clients for ever.", at),
			deps.Command("dev:recover")
	case pgops.CauseInRecovery:
		return fmt.Sprintf("PostgreSQL at %s is in recovery and lets nobody in yet.", at), wait
	case pgops.CauseAuthFailed:
		return fmt.Sprintf("PostgreSQL at %s refused role %q: wrong or expired password, or no such role (it does not tell which).", at, url.User),
			"correct user and password in " + origin(url)
	case pgops.CauseNoSuchRole:
		return fmt.Sprintf("PostgreSQL at %s has no role %q.", at, url.User),
			fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '…'; (as a superuser), or correct %s`, quoteIdent(url.User), origin(url))
	case pgops.CauseNoSuchDatabase:
		return fmt.Sprintf("PostgreSQL at %s has no database %q.", at, url.Database),
			fmt.Sprintf(`CREATE DATABASE %s OWNER %s; (as a superuser), or correct %s`, quoteIdent(url.Database), quoteIdent(url.User), origin(url))
	case pgops.CauseNoAccess:
		return fmt.Sprintf("Role %q may not log in to database %q at %s.", url.User, url.Database, at),
			fmt.Sprintf(`ALTER ROLE %s LOGIN; GRANT CONNECT ON DATABASE %s TO %[1]s; (as a superuser)`, quoteIdent(url.User), quoteIdent(url.Database))
	case pgops.CauseHBA:
		return fmt.Sprintf("No line of pg_hba.conf lets role %q into database %q from here (%s).", url.User, url.Database, at),
			fmt.Sprintf("add to pg_hba.conf: host %s %s 127.0.0.1/32 scram-sha-256, then reload PostgreSQL", quoteHBA(url.Database), quoteHBA(url.User))
	case pgops.CauseTLSWanted:
		return fmt.Sprintf("PostgreSQL at %s wants TLS for role %q, and the URL does not use it.", at, url.User), "add sslmode=require to " + origin(url)
	case pgops.CauseTLSNotOffered:
		return fmt.Sprintf("The URL wants TLS, and PostgreSQL at %s does not offer it.", at), "set sslmode=prefer in " + origin(url)
	case pgops.CauseTLSCertificate:
		return fmt.Sprintf("The certificate of PostgreSQL at %s was not accepted.", at),
			"name its authority with sslrootcert=<file>, or drop sslaccept=strict, in " + origin(url)
	case pgops.CauseSlotsFull:
		return fmt.Sprintf("Every connection slot of PostgreSQL at %s is taken, the reserved ones too.", at), cleanup
	case pgops.CauseReservedOnly:
		return fmt.Sprintf("Every ordinary connection slot of PostgreSQL at %s is taken; only the reserved ones are left.", at), cleanup
	case pgops.CauseRoleLimit:
		return fmt.Sprintf("Role %q has reached its own connection limit at %s; the server itself is not full.", url.User, at),
			fmt.Sprintf("%s, or as a superuser: ALTER ROLE %s CONNECTION LIMIT -1;", cleanup, quoteIdent(url.User))
	case pgops.CauseDatabaseLimit:
		return fmt.Sprintf("Database %q has reached its own connection limit at %s; the server itself is not full.", url.Database, at),
			fmt.Sprintf("%s, or as a superuser: ALTER DATABASE %s CONNECTION LIMIT -1;", cleanup, quoteIdent(url.Database))
	case pgops.CausePoolerLimit:
		return fmt.Sprintf("The connection pooler at %s has reached its own limit; PostgreSQL behind it may have free slots.", at),
			"raise max_client_conn of the pooler, or set DIRECT_URL to the server itself"
	case pgops.CausePoolerDisabled:
		return fmt.Sprintf("The connection pooler at %s refuses logins to database %q: it was disabled there.", at, url.Database), consoleCommand(url, "ENABLE")
	case pgops.CausePoolerRefused:
		return fmt.Sprintf("The connection pooler at %s refused the login.", at), "add pgbouncer=true to " + origin(url) + ", or set DIRECT_URL to the server itself"
	case pgops.CauseNotPostgres:
		return fmt.Sprintf("What listens at %s does not speak PostgreSQL's protocol.", at), "correct host and port in " + origin(url)
	case pgops.CauseHungUp:
		return fmt.Sprintf("%s accepts a connection and closes it without a word: a server behind a forwarder that is starting (Docker's is ahead of it), or no PostgreSQL.", at), wait
	case pgops.CauseSessionLost:
		return fmt.Sprintf("The connection to %s was cut: PostgreSQL crashed or restarts, or something on the way cut it.", at), wait
	case pgops.CauseCancelled:
		return "Interrupted before the login was answered.", deps.Command("db:test")
	}
	return fmt.Sprintf("The login at %s failed.", at), deps.Command("db:test")
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteHBA quotes a name for pg_hba.conf where it needs quotes.
func quoteHBA(name string) string {
	if strings.ContainsAny(name, " \t,#\"") || name == "all" {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}
