package pgops

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// The routines and wordings are those of PostgreSQL 15 and 18 and of PgBouncer
// 1.18; the translated ones are from PostgreSQL's own message catalogs.
func TestTheFiveKindsOf53300AreToldApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message, routine string
		want                   Cause
	}{
		{"53300", "sorry, too many clients already", "InitProcess", CauseSlotsFull},
		{"53300", "tut mir leid, schon zu viele Clients", "InitProcess", CauseSlotsFull},
		{"53300", "remaining connection slots are reserved for non-replication superuser connections", "InitPostgres", CauseReservedOnly},
		{"53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute", "InitPostgres", CauseReservedOnly},
		{"53300", `remaining connection slots are reserved for roles with privileges of the "pg_use_reserved_connections" role`, "InitPostgres", CauseReservedOnly},
		{"53300", "die verbleibenden Verbindungen sind für Rollen mit dem SUPERUSER-Attribut reserviert", "InitPostgres", CauseReservedOnly},
		{"53300", `too many connections for role "app"`, "InitializeSessionUserId", CauseRoleLimit},
		{"53300", `zu viele Verbindungen von Rolle »app«`, "InitializeSessionUserId", CauseRoleLimit},
		{"53300", `too many connections for database "shop"`, "CheckMyDatabase", CauseDatabaseLimit},
		{"08P01", "no more connections allowed (max_client_conn)", "", CausePoolerLimit},
		{"53300", "no more connections allowed (max_client_conn)", "", CausePoolerLimit},
		{"08P01", "query_wait_timeout", "", CausePoolerLimit},
		{"08P01", "server login failed: FATAL sorry, too many clients already", "", CauseSlotsFull},
		{"08P01", "server login has been failing, cached error: FATAL: sorry, too many clients already (server_login_retry)", "", CauseSlotsFull},
		{"53300", "tut mir leid, schon zu viele Clients", "", CauseSlotsFull}, // passed on by a pooler
		{"53300", "client connections exceeded (max_user_client_connections)", "", CausePoolerLimit},
		{"XX000", "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size", "", CausePoolerLimit},
		{"53300", "odyssey: c123: too many tcp connections (global client_max 100)", "", CausePoolerLimit},
		{"58000", "could not get connection from the pool - AllServersDown", "", CausePoolerRefused}, // PgCat: for whatever reason
		{"08P01", `database "shop" is disabled`, "", CausePoolerDisabled},
		{"08P01", "database does not allow connections: shop", "", CausePoolerDisabled},
		{"08P01", "SASL authentication failed", "", CauseAuthFailed},
		{"08P01", "no such database: shop", "", CauseNoSuchDatabase},
		{"08P01", "unsupported startup parameter: search_path", "", CausePoolerRefused},
		{"57P03", "the database system is starting up", "ProcessStartupPacket", CauseStartingUp},
		{"57P03", "the database system is shutting down", "ProcessStartupPacket", CauseShuttingDown},
		{"57P03", "the database system is in recovery mode", "ProcessStartupPacket", CauseInRecovery},
		{"28P01", `password authentication failed for user "app"`, "auth_failed", CauseAuthFailed},
		{"28000", `role "app" does not exist`, "InitializeSessionUserId", CauseNoSuchRole},
		{"28000", `no pg_hba.conf entry for host "127.0.0.1", user "app", database "shop", no encryption`, "ClientAuthentication", CauseTLSWanted},
		{"28000", `pg_hba.conf rejects connection for host "127.0.0.1", user "app", database "shop", SSL encryption`, "ClientAuthentication", CauseHBA},
		{"3D000", `database "shop" does not exist`, "InitPostgres", CauseNoSuchDatabase},
		{"42501", `permission denied for database "shop"`, "CheckMyDatabase", CauseNoAccess},
		{"42501", `keine Berechtigung für Datenbank shop`, "CheckMyDatabase", CauseNoAccess},
		{"42501", `permission denied to set parameter "log_statement"`, "set_config_with_handle", CauseOptions},
		{"55000", `database "shop" is not currently accepting connections`, "CheckMyDatabase", CauseDatabaseClosed},
		{"55000", `Datenbank »shop« akzeptiert gegenwärtig keine Verbindungen`, "CheckMyDatabase", CauseDatabaseClosed},
		{"55000", `cannot connect to invalid database "shop"`, "InitPostgres", CauseDatabaseInvalid},
		{"55000", `kann nicht mit ungültiger Datenbank »shop« verbinden`, "InitPostgres", CauseDatabaseInvalid},
		{"28000", `role "app" is not permitted to log in`, "InitializeSessionUserId", CauseNoLogin},
		{"28000", `Rolle »app« hat keine Berechtigung zum Einloggen`, "InitializeSessionUserId", CauseRoleUnusable},
		{"28000", `Rolle »app« existiert nicht`, "InitializeSessionUserId", CauseRoleUnusable},
		{"28000", `Peer authentication failed for user "app"`, "auth_failed", CauseAuthMethod},
		{"28000", `Ident-Authentifizierung für Benutzer »app« fehlgeschlagen`, "auth_failed", CauseAuthMethod},
		{"28000", `kein pg_hba.conf-Eintrag für Host »::1«, Benutzer »app«, Datenbank »shop«, keine Verschlüsselung`, "ClientAuthentication", CauseHBA},
		{"28P01", `Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen`, "auth_failed", CauseAuthFailed},
		{"57P03", "das Datenbanksystem startet", "ProcessStartupPacket", CauseNotAccepting},
		{"57P03", "das Datenbanksystem fährt herunter", "ProcessStartupPacket", CauseNotAccepting},
		{"57P03", "the database system is not yet accepting connections", "ProcessStartupPacket", CauseInRecovery},
		{"42601", "invalid command-line argument for server process: project=x", "process_postgres_switches", CauseOptions},
		{"42704", `unrecognized configuration parameter "nonsense"`, "set_config_option", CauseOptions},
		{"22023", `ungültiger Wert für Parameter »statement_timeout«: »x«`, "parse_and_validate_value", CauseOptions},
	} {
		file := ""
		if c.routine != "" {
			file = "postinit.c"
		}
		err := fmt.Errorf("log in: %w", errors.Join(errors.New("dial error"), &pgconn.PgError{Severity: "FATAL", Code: c.code, Message: c.message, Routine: c.routine, File: file}))
		if got := CauseOf(err); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.code, c.message, got, c.want)
		}
	}
}
