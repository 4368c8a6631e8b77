package enginetest

import (
	"net/netip"
	"net/url"
	"strings"
)

// The role that applications log in as, which is no superuser, and its database,
// on every server of this package.
const (
	Role     = "app"
	Database = "app"
)

// Server is the way into a PostgreSQL that a test has started.
type Server struct {
	At netip.AddrPort // where a client on this machine reaches it

	Superuser, SuperuserPassword string
	Password                     string // Role's
}

// URL is the way into the application's database as Role; params are
// "name=value".
func (s Server) URL(params ...string) string { return s.url(Role, s.Password, Database, params) }

// AdminURL is the superuser's way into a database.
func (s Server) AdminURL(database string, params ...string) string {
	return s.url(s.Superuser, s.SuperuserPassword, database, params)
}

func (s Server) url(role, password, database string, params []string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Host: s.At.String(), Path: "/" + database, RawQuery: strings.Join(params, "&")}
	return u.String()
}
