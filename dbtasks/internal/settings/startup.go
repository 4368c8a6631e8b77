package settings

import (
	"maps"

	"github.com/jackc/pgx/v5"
)

// appParameters are the startup parameters of a session for a project's own
// code. PostgreSQL refuses unknown ones, so none but these ever gets there,
// PGTZ and PGOPTIONS included. client_encoding is there because pgx refuses the
// simple protocol without UTF8, which a database in SQL_ASCII does not have by
// itself.
func (u *URL) appParameters() map[string]string {
	params := map[string]string{"application_name": applicationName, "client_encoding": "UTF8"}
	if u.Options != "" {
		params["options"] = u.Options
	}
	if path := u.loginPath(); path != "" {
		params["search_path"] = path
	}
	return params
}

// loginPath is the search_path to log in with. PgBouncer refuses it.
func (u *URL) loginPath() string {
	switch {
	case u.PgBouncer:
		return ""
	case u.Schema != "":
		return pgx.Identifier{u.Schema}.Sanitize()
	}
	return u.searchPath
}

// trackedByPoolers are the tool's own settings that PgBouncer has always
// accepted from a client and keeps apart for each: they decide how values are
// written.
var trackedByPoolers = map[string]string{
	"DateStyle":                   "ISO, MDY",
	"TimeZone":                    "UTC",
	"standard_conforming_strings": "on",
}

// ownOnly are the tool's other settings. The owner of a database and every role
// may set them for all logins (ALTER DATABASE, ALTER ROLE … SET); a startup
// parameter wins over that, and over the URL's options. search_path leaves
// nothing to find but PostgreSQL's own operators and functions, so that nobody
// else's code runs in a session of the tool's, which may be a superuser's. The
// server itself ends a statement that takes too long, also when the tool is no
// more. Each is known to PostgreSQL 9.6 and later; newer ones are set after the
// login (pgops.AskAbout).
var ownOnly = map[string]string{
	"search_path":                    "pg_catalog",
	"IntervalStyle":                  "postgres",
	"client_min_messages":            "warning",
	"default_transaction_read_only":  "off",
	"default_transaction_isolation":  "read committed",
	"default_transaction_deferrable": "off",
	"statement_timeout":              "20s",
	"lock_timeout":                   "0",
	"role":                           "none", // that which logged in: another may see and end less
}

// ownParameters are the startup parameters of the tool's own sessions.
func (u *URL) ownParameters() map[string]string {
	params := map[string]string{"application_name": applicationName, "client_encoding": "UTF8"}
	maps.Copy(params, trackedByPoolers)
	if u.PgBouncer || u.fewer != nil && u.fewer.Load() {
		return params
	}
	if u.Options != "" {
		params["options"] = u.Options
	}
	maps.Copy(params, ownOnly)
	return params
}

// SendFewer has later logins with this URL leave out what a pooler may not
// know. It is false where they do so already.
func (u *URL) SendFewer() bool {
	return !u.PgBouncer && u.fewer != nil && u.fewer.CompareAndSwap(false, true)
}
