package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is a database and the ordinary role that owns it.
type Database struct {
	Name, Role, Password string
	server               *Server
}

// NewDatabase makes a role and its database, with names of their own and a
// password that has to be escaped in a URL.
func (s *Server) NewDatabase() Database {
	s.t.Helper()
	id := strings.ToLower(rand.Text()[:8])
	return s.NewNamedDatabase("shop_"+id, "app_"+id, "p@ss:w/"+rand.Text())
}

// NewNamedDatabase makes a role and its database with any names and password.
func (s *Server) NewNamedDatabase(name, role, password string) Database {
	s.t.Helper()
	ident := func(n string) string { return pgx.Identifier{n}.Sanitize() }
	s.Exec(fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", ident(role), strings.ReplaceAll(password, "'", "''")),
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", ident(name), ident(role)))
	return Database{Name: name, Role: role, Password: password, server: s}
}

// String does not show the password.
func (d Database) String() string { return d.Role + " in " + d.Name }

// GoString does not show it either.
func (d Database) GoString() string { return d.String() }

// URL is the owner's URL; params are added as they are.
func (d Database) URL(params ...string) string {
	return d.server.URL(d.Role, d.Password, d.Name, params...)
}

// AdminURL is the superuser's URL of the same database.
func (d Database) AdminURL() string { return d.server.AdminURL(d.Name) }

// Open opens n sessions held by this process until the test ends.
func (d Database) Open(n int, application string) []*pgx.Conn {
	d.server.t.Helper()
	var list []*pgx.Conn
	for range n {
		list = append(list, Connect(d.server.t, d.named(application)))
	}
	return list
}

// Fill opens sessions of the owner until the server refuses one, and returns
// them with the refusal. They are closed with the test.
func (d Database) Fill(application string) ([]*pgx.Conn, error) {
	d.server.t.Helper()
	var list []*pgx.Conn
	d.server.t.Cleanup(func() {
		for _, c := range list {
			closeConn(c)
		}
	})
	for range 500 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		conn, err := pgx.Connect(ctx, d.named(application))
		cancel()
		if err != nil {
			return list, err
		}
		list = append(list, conn)
	}
	d.server.t.Fatal("500 sessions and not full")
	return nil, nil
}

func (d Database) named(application string) string {
	return d.URL("application_name=" + url.PathEscape(application))
}
