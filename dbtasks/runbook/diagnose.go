package runbook

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// loginFailure says why a login with this URL failed, in words, and the next
// step. The server's own words stand below the outcome.
func loginFailure(rb *Runbook, url *settings.URL, err error) *Failure {
	if f := alreadyFailure(err); f != nil {
		return f
	}
	cause := pgops.CauseOf(err)
	if cause == pgops.CauseTLSWanted && triesTLS(url) {
		cause = pgops.CauseHBA // TLS was tried before: it is not what is missing
	}
	f := &Failure{Exit: ExitNotDone, Code: string(cause), Err: err}
	f.Message, f.Next = explain(rb, url, cause)
	adjust(f, url, cause, err)
	if words, sqlstate := pgops.ServerWords(err); words != "" {
		f.Details = append(f.Details, fmt.Sprintf("the server says: %s (SQLSTATE %s)", words, sqlstate))
	} else if cause == pgops.CauseUnknown || cause == pgops.CauseTLSCertificate || cause == pgops.CauseNotPostgres {
		f.Details = append(f.Details, lastLine(err.Error()))
	}
	f.Details = append(f.Details, "the URL is "+origin(url))
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

// place is where a line to write belongs: "line 2 of .env".
func place(url *settings.URL) string {
	o := url.Origin
	if o.File == "" {
		return "the environment"
	}
	return fmt.Sprintf("%s, line %d", o.File, o.Line)
}

// adjust makes the advice fit what this URL and this refusal have beside the
// cause: a template's password, a container's name, the address that the server
// saw.
func adjust(f *Failure, url *settings.URL, cause pgops.Cause, err error) {
	host := url.Hosts[0].Name
	switch {
	case cause == pgops.CauseAuthFailed && url.Unfilled():
		f.Message = fmt.Sprintf("The password of %s is still that of a template, and PostgreSQL at %s refused it.", url.Origin.Variable, where(url))
		f.Next = "write your own password into " + origin(url)
	case cause == pgops.CauseNoSuchHost && (host == "host.docker.internal" || host == "host.containers.internal" || !strings.Contains(host, ".")):
		f.Message = fmt.Sprintf("The host %q has no address here: it is a name within a container network (a Compose service?), and this runs outside of it.", host)
		f.Next = fmt.Sprintf("write into %s, with the port that the container publishes: %s", place(url), url.WithHost("localhost"))
	case cause == pgops.CauseAuthMethod && strings.HasPrefix(host, "/"):
		f.Next = fmt.Sprintf("write into %s (the socket is the account's, TCP asks for the password): %s", place(url), url.OverTCP())
	case cause == pgops.CauseHBA || cause == pgops.CauseTLSWanted:
		words, _ := pgops.ServerWords(err)
		if address := addressIn(words); cause == pgops.CauseHBA && address.IsValid() {
			f.Next = fmt.Sprintf("write into pg_hba.conf above its other lines: %s, then reload PostgreSQL", hbaLine(url, address.String()))
		}
	case cause == pgops.CauseNoSuchDatabase:
		folded := strings.ToLower(url.Database)
		if folded != url.Database && opens(url.In(folded)) {
			f.Message = fmt.Sprintf("PostgreSQL at %s has no database %q, and it has %q: names without quotes are made in small letters.", where(url), url.Database, folded)
			f.Next = fmt.Sprintf("write into %s: %s", place(url), url.WithDatabase(folded))
		}
	}
}

// opens tells whether a login works.
func opens(url *settings.URL) bool {
	ctx, cancel := context.WithTimeout(context.Background(), url.ConnectTimeout)
	defer cancel()
	cfg, err := url.ConnConfig()
	if err != nil {
		return false
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false
	}
	_ = conn.Close(ctx)
	return true
}

// addressIn is the client's address that a refusal quotes, in whatever
// language: PostgreSQL puts it in quotation marks.
func addressIn(words string) netip.Addr {
	for _, word := range strings.FieldsFunc(words, func(r rune) bool { return strings.ContainsRune("\"'»«„“”,; ", r) }) {
		if address, err := netip.ParseAddr(word); err == nil {
			return address
		}
	}
	return netip.Addr{}
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// hbaLine is the line of pg_hba.conf that lets this login in from an address;
// "": from where the URL leads.
func hbaLine(url *settings.URL, address string) string {
	host := url.Hosts[0].Name
	if address == "" {
		address = host
	}
	database, role := quoteHBA(url.Database), quoteHBA(url.User)
	if strings.HasPrefix(address, "/") {
		return fmt.Sprintf("local %s %s scram-sha-256", database, role)
	}
	switch ip, err := netip.ParseAddr(address); {
	case err != nil:
		address = "127.0.0.1/32"
	case ip.Is4():
		address += "/32"
	default:
		address = ip.WithZone("").String() + "/128"
	}
	return fmt.Sprintf("host %s %s %s scram-sha-256", database, role, address)
}

func explain(rb *Runbook, url *settings.URL, cause pgops.Cause) (message, next string) {
	at := where(url)
	wait := rb.Command("db:test -wait=60s")
	cleanup := rb.Command("db:cleanup")
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
			"is the server frozen? " + rb.Command("dev:recover -restart=always")
	case pgops.CauseStartingUp:
		return fmt.Sprintf("PostgreSQL at %s is starting up and lets nobody in yet.", at), wait
	case pgops.CauseShuttingDown:
		return fmt.Sprintf("PostgreSQL at %s is shutting down; in smart mode it waits for clients for ever.", at),
			rb.Command("dev:recover")
	case pgops.CauseNotAccepting:
		return fmt.Sprintf("PostgreSQL at %s runs and lets nobody in: it is starting, recovering or shutting down.", at),
			wait + ", and where that does not help: " + rb.Command("dev:recover")
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
	case pgops.CauseNoLogin:
		return fmt.Sprintf("Role %q at %s is there, and may not log in.", url.User, at),
			fmt.Sprintf(`ALTER ROLE %s LOGIN; (as a superuser)`, quoteIdent(url.User))
	case pgops.CauseRoleUnusable:
		return fmt.Sprintf("PostgreSQL at %s has no role %q that may log in.", at, url.User),
			fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '…'; or, where it is there already: ALTER ROLE %[1]s LOGIN; (as a superuser)`, quoteIdent(url.User))
	case pgops.CauseNoAccess:
		return fmt.Sprintf("Role %q may not connect to database %q at %s.", url.User, url.Database, at),
			fmt.Sprintf(`GRANT CONNECT ON DATABASE %s TO %s; (as a superuser)`, quoteIdent(url.Database), quoteIdent(url.User))
	case pgops.CauseAuthMethod:
		return fmt.Sprintf("PostgreSQL at %s refused role %q by a method of pg_hba.conf that is no password (peer and ident want the account's own name).", at, url.User),
			"change the method of that line of pg_hba.conf to scram-sha-256 and reload PostgreSQL"
	case pgops.CauseDatabaseClosed:
		return fmt.Sprintf("Database %q at %s lets nobody connect: ALLOW_CONNECTIONS is false.", url.Database, at),
			fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS true; (as a superuser, in another database)`, quoteIdent(url.Database))
	case pgops.CauseDatabaseInvalid:
		return fmt.Sprintf("Database %q at %s is invalid: a DROP DATABASE was cut short, and its data are gone.", url.Database, at),
			fmt.Sprintf(`DROP DATABASE %s; CREATE DATABASE %[1]s OWNER %s; (as a superuser, in another database)`, quoteIdent(url.Database), quoteIdent(url.User))
	case pgops.CauseOptions:
		return fmt.Sprintf("PostgreSQL at %s does not take the options that the URL sends.", at), "write into " + place(url) + ": " + url.WithoutOptions()
	case pgops.CauseHBA:
		return fmt.Sprintf("No line of pg_hba.conf lets role %q into database %q from here (%s).", url.User, url.Database, at),
			fmt.Sprintf("write into pg_hba.conf above its other lines: %s, then reload PostgreSQL", hbaLine(url, ""))
	case pgops.CauseTLSWanted:
		return fmt.Sprintf("PostgreSQL at %s wants TLS for role %q, and the URL does not use it.", at, url.User), "add sslmode=require to " + origin(url)
	case pgops.CauseTLSNotOffered:
		if host := url.Hosts[0].Name; host != "localhost" && !strings.HasPrefix(host, "/") && !loopback(host) {
			return fmt.Sprintf("The URL wants TLS, and PostgreSQL at %s does not offer it: is it the server that you mean?", at),
				"correct the host in " + origin(url) + ", or, where that network may see the data: " + url.WithoutTLS()
		}
		return fmt.Sprintf("The URL wants TLS, and PostgreSQL at %s does not offer it.", at), "write into " + place(url) + ": " + url.WithoutTLS()
	case pgops.CauseTLSCertificate:
		return fmt.Sprintf("The certificate of PostgreSQL at %s was not accepted.", at),
			"name its authority with sslrootcert=<file>, or drop sslaccept=strict, in " + origin(url)
	case pgops.CausePasswordInClear:
		if !url.HasPassword() {
			return fmt.Sprintf("%s asks for the password of role %q as it is, or as an MD5 hash, and a stored one (PGPASSWORD, ~/.pgpass) is not sent so to whoever has the port.", at, url.User),
				"if it is the server that you mean: write the password into " + origin(url)
		}
		return fmt.Sprintf("%s asks for the password of role %q as it is, or as an MD5 hash, and others can read the way there: it was not sent.", at, url.User),
			"add sslmode=require to " + origin(url) + ", or have the server keep the password for SCRAM: SET password_encryption = 'scram-sha-256', and set the role's password anew"
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
		return "Interrupted before the login was answered.", rb.Command("db:test")
	}
	return fmt.Sprintf("The login at %s failed.", at), rb.Command("db:test")
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteHBA quotes a name for pg_hba.conf where it needs quotes.
func quoteHBA(name string) string {
	if strings.ContainsAny(name, " \t,#\"") || name == "all" {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}
