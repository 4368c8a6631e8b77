package pgops

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Cause is why a login failed, a stable word of the tool's JSON ("error").
type Cause string

// The causes that a login's failure is told apart into.
const (
	CauseConnectionRefused Cause = "connection_refused" // nothing listens there, or no such socket
	CauseNoSuchHost        Cause = "no_such_host"
	CauseUnreachable       Cause = "unreachable"
	CauseTimeout           Cause = "timeout"
	CauseStartingUp        Cause = "starting_up"
	CauseShuttingDown      Cause = "shutting_down"
	CauseInRecovery        Cause = "in_recovery"
	CauseNotAccepting      Cause = "not_accepting" // one of the three above: which of them can't be told
	CauseAuthFailed        Cause = "auth_failed"
	CauseNoSuchRole        Cause = "no_such_role"
	CauseNoSuchDatabase    Cause = "no_such_database"
	CauseNoAccess          Cause = "no_access"        // the role may not connect to this database
	CauseNoLogin           Cause = "no_login"         // the role may not log in at all
	CauseRoleUnusable      Cause = "role_unusable"    // no such role, or it may not log in: which of them can't be told
	CauseAuthMethod        Cause = "auth_method"      // refused by a method that asks for no password: peer, ident, a certificate, …
	CauseDatabaseClosed    Cause = "database_closed"  // ALLOW_CONNECTIONS false
	CauseDatabaseInvalid   Cause = "database_invalid" // a DROP DATABASE that was cut short
	CauseOptions           Cause = "options_refused"  // the server does not take the URL's options
	CauseHBA               Cause = "pg_hba"           // no line of pg_hba.conf lets this role in from here
	CauseTLSWanted         Cause = "tls_required"
	CauseTLSNotOffered     Cause = "tls_not_offered"
	CauseTLSCertificate    Cause = "tls_certificate"
	CausePasswordInClear   Cause = "password_in_clear" // the server asks for it as it is or as an MD5 hash, on a way that others can read: it was not sent
	CauseSlotsFull         Cause = "slots_full"        // every slot is taken, the reserved ones too
	CauseReservedOnly      Cause = "slots_reserved"    // only the reserved slots are left
	CauseRoleLimit         Cause = "role_limit"
	CauseDatabaseLimit     Cause = "database_limit"
	CausePoolerLimit       Cause = "pooler_limit"
	CausePoolerDisabled    Cause = "pooler_disabled" // DISABLE on PgBouncer's console
	CausePoolerPaused      Cause = "pooler_paused"   // PAUSE or KILL on it: no wording tells this, only its console does
	CausePoolerRefused     Cause = "pooler_refused"  // a pooler's own refusal for another reason
	CauseNotPostgres       Cause = "not_postgres"
	CauseHungUp            Cause = "hung_up"      // the connection was accepted and closed without a word
	CauseSessionLost       Cause = "session_lost" // cut, by a crash, a restart or the network
	CausePoolTimeout       Cause = "pool_timeout" // our own pool had no session to give
	CauseCancelled         Cause = "cancelled"
	CauseUnknown           Cause = "unknown"
)

// NoSlot tells whether the login was refused for want of a slot (SQLSTATE
// 53300 in one of its kinds): the server itself is up.
func (c Cause) NoSlot() bool {
	switch c {
	case CauseSlotsFull, CauseReservedOnly, CauseRoleLimit, CauseDatabaseLimit, CausePoolerLimit:
		return true
	}
	return false
}

// Passing tells whether waiting alone may help (SQLSTATE 57P03 and a server
// that is not there yet).
func (c Cause) Passing() bool {
	switch c {
	case CauseStartingUp, CauseShuttingDown, CauseInRecovery, CauseNotAccepting, CauseConnectionRefused, CauseTimeout, CauseUnreachable, CauseSessionLost, CauseHungUp:
		return true
	}
	return c.NoSlot()
}

// CauseOf tells why a login failed: by the SQLSTATE and the name of the server's
// routine, which are not translated (lc_messages is). Where these two leave a
// choice, English words tell more, and without them the cause says that it
// can't be told. A pooler's answer has no routine.
//
// The routines were read off PostgreSQL 15 and 18: InitProcess
// (all slots), InitPostgres (reserved ones), InitializeSessionUserId (role),
// CheckMyDatabase (database), auth_failed and ClientAuthentication.
func CauseOf(err error) Cause {
	if err == nil {
		return ""
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return causeOfPgError(pg)
	}
	// Several tries (hosts, with and without TLS) are joined, a line each: the
	// last one is why it is over.
	text := strings.TrimSpace(err.Error())
	text = text[strings.LastIndexByte(text, '\n')+1:]
	var dns *net.DNSError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.Is(err, context.Canceled):
		return CauseCancelled
	case errors.Is(err, ErrPasswordInClear):
		return CausePasswordInClear
	case errors.Is(err, ErrEndless), errors.As(err, &tooLong):
		return CauseNotPostgres
	case errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &authority), errors.As(err, &verification):
		return CauseTLSCertificate
	case strings.Contains(text, "server refused TLS connection"), strings.Contains(text, "channel binding required"):
		return CauseTLSNotOffered
	case errors.As(err, &record):
		return CauseNotPostgres
	case errors.As(err, &dns) && dns.IsTimeout:
		return CauseTimeout
	case errors.As(err, &dns):
		return CauseNoSuchHost
	case pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return CauseTimeout
	case causeOfWinsock(err) != "":
		return causeOfWinsock(err)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return CauseConnectionRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return CauseUnreachable
	case errors.Is(err, os.ErrPermission):
		return CauseUnreachable
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.Errno(10054)),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(text, "EOF"):
		var login *pgconn.ConnectError
		if errors.As(err, &login) {
			// Docker's forwarder accepts before the server in the container
			// does, and closes again (measured, Docker 20.10): that is a server
			// that starts, and nothing that PostgreSQL's protocol contradicts.
			return CauseHungUp
		}
		return CauseSessionLost
	case strings.Contains(text, "tls:"):
		return CauseTLSCertificate
	case strings.Contains(text, "failed to receive message"), strings.Contains(text, "tls error"),
		strings.Contains(text, "unexpected message"), strings.Contains(text, "unknown message type"):
		return CauseNotPostgres
	}
	return CauseUnknown
}

func causeOfPgError(pg *pgconn.PgError) Cause {
	text := strings.ToLower(pg.Message)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	pooler := pg.Routine == "" && pg.File == ""
	switch pg.Code {
	case "53300":
		switch {
		case pg.Routine == "InitializeSessionUserId", has("connections for role"):
			return CauseRoleLimit
		case pg.Routine == "CheckMyDatabase", has("connections for database"):
			return CauseDatabaseLimit
		case pg.Routine == "InitPostgres", has("remaining connection slots"):
			return CauseReservedOnly
		case pooler && causeOfPooler(text) == CausePoolerLimit:
			return CausePoolerLimit
		}
		return CauseSlotsFull
	case "57P03":
		switch {
		case has("shutting down"):
			return CauseShuttingDown
		case has("recovery", "hot standby", "not yet accepting", "not accepting"): // the last: a standby with hot_standby off
			return CauseInRecovery
		case has("starting up"):
			return CauseStartingUp
		}
		return CauseNotAccepting
	case "57P01": // the server was told to stop between our login and its answer
		return CauseShuttingDown
	case "28P01":
		return CauseAuthFailed
	case "3D000":
		return CauseNoSuchDatabase
	case "28000":
		switch {
		case has("rejects connection"):
			return CauseHBA
		case has("no encryption", "ssl off"):
			return CauseTLSWanted
		case has("pg_hba.conf"):
			return CauseHBA
		case has("does not exist"):
			return CauseNoSuchRole
		case has("not permitted to log in"):
			return CauseNoLogin
		case pg.Routine == "InitializeSessionUserId":
			return CauseRoleUnusable
		case pg.Routine == "ClientAuthentication":
			return CauseHBA
		case pg.Routine == "auth_failed":
			return CauseAuthMethod
		}
		return CauseAuthFailed
	case "42501":
		if strings.HasPrefix(pg.Routine, "set_config") || strings.HasPrefix(pg.Routine, "validate_option") {
			return CauseOptions
		}
		return CauseNoAccess
	case "55000":
		if pg.Routine == "CheckMyDatabase" || pooler {
			return CauseDatabaseClosed
		}
		return CauseDatabaseInvalid
	case "42601", "42704", "22023": // an option that is none, a setting that is none, a value that is none
		if !pooler {
			return CauseOptions
		}
	}
	if pooler {
		return causeOfPooler(text)
	}
	return CauseUnknown
}

// poolerLimits are parts of what poolers say when they have reached limits of
// their own. PgBouncer's by the setting's name: the first two have been there since before
// 1.12 and were met on 1.18 (with SQLSTATE 08P01, later 53300), the others came
// with 1.24. Supavisor's and Odyssey's are as users report them and the source
// has them; neither was run here.
var poolerLimits = []string{
	"(max_client_conn)", "query_wait_timeout", "(max_db_client_connections)", "(max_user_client_connections)",
	"max client connections reached", "maxclientsinsessionmode", "max clients reached", // Supavisor
	"(global client_max", // Odyssey
}

// causeOfPooler reads what a pooler answers with a SQLSTATE that tells nothing
// (08P01, XX000), whether it is its own refusal or the server's that it passes
// on; PgBouncer puts "server login failed: " or "server login has been failing,
// cached error: " before those, or nothing.
func causeOfPooler(text string) Cause {
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case slices.ContainsFunc(poolerLimits, has):
		return CausePoolerLimit
	case has("too many clients"):
		return CauseSlotsFull
	case has("remaining connection slots"):
		return CauseReservedOnly
	case has("too many connections for role"):
		return CauseRoleLimit
	case has("too many connections for database"):
		return CauseDatabaseLimit
	case has("no such database"), has(`database "`) && has("does not exist"):
		return CauseNoSuchDatabase
	case has(`database "`) && has("is disabled"), has("database does not allow connections"): // the latter up to 1.15
		return CausePoolerDisabled
	case has("no such user"), has("authentication failed"):
		return CauseAuthFailed
	case has("the database system is starting up"):
		return CauseStartingUp
	case has("the database system is shutting down"):
		return CauseShuttingDown
	case has("connect failed"), has("cannot connect to server"), has("server conn crashed"), has("server login"):
		return CauseConnectionRefused
	}
	return CausePoolerRefused
}

// mostWords is how much of a server's message is handed on, in bytes.
const mostWords = 1000

// ServerWords returns the server's own words of a refusal, and its SQLSTATE;
// both are empty when the server said nothing.
func ServerWords(err error) (message, sqlstate string) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return cut(pg.Severity + ": " + pg.Message), cut(pg.Code)
	}
	return "", ""
}

func cut(text string) string {
	if len(text) > mostWords {
		return strings.ToValidUTF8(text[:mostWords], "") + "…"
	}
	return text
}
