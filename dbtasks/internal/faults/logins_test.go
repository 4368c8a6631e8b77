//go:build linux

package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

const printable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~"

// loginFaults: passwords, names, pg_hba.conf and TLS.
var loginFaults = []fault{
	{name: "password wrong", inject: func(s *scene) { s.as(s.db().Role, s.secret("wrong"), s.db().Name) }, args: "db:test", exit: 1, says: "wrong or expired password"},
	{name: "password expired", inject: func(s *scene) {
		s.alter("ALTER ROLE %s VALID UNTIL '2001-01-01'", s.db().Role)
	}, args: "db:test", exit: 1, says: "wrong or expired password"},
	{name: "no password at all", inject: func(s *scene) {
		s.env["DATABASE_URL"] = fmt.Sprintf("postgresql://%s@127.0.0.1:%d/%s?connection_limit=5", s.db().Role, s.server.Port, s.db().Name)
	}, args: "db:test", exit: 1, says: "password"},
	{name: "password of every printable character", inject: func(s *scene) { s.named("", "", s.secret(printable)+printable) }, args: "db:test", says: "OK: logged in"},
	{name: "the same, wrong by one character", inject: func(s *scene) { s.as(s.db().Role, s.secret(printable)+printable, s.db().Name) }, args: "db:cleanup", exit: 1, says: "wrong or expired password"},
	{name: "no such role", inject: func(s *scene) { s.as("nobody_here", s.secret(""), s.db().Name) }, args: "db:test", exit: 1, says: "no such role"},
	{name: "no such database", inject: func(s *scene) { s.as(s.db().Role, s.db().Password, "nothing_here") }, args: "db:test", exit: 1, says: "has no database"},
	{name: "names with spaces", inject: func(s *scene) { s.named("my shop", "my role", "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "names with quotes", inject: func(s *scene) { s.named(`sh"o'p`, `r"o'le`, "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "names with dollar signs and shell words", inject: func(s *scene) { s.named("$HOME `id` $(id)", "$USER;id|id&", "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "names in unicode", inject: func(s *scene) { s.named("lädchen-店-🛒", "bäcker-人", "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "names of 63 bytes", inject: func(s *scene) { s.named(strings.Repeat("d", 63), strings.Repeat("r", 63), "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "names with percent and question marks", inject: func(s *scene) { s.named("50%20?off#1", "a@b:c", "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "names that look like a process title", inject: func(s *scene) { s.named("b [local] idle", "app 127.0.0.1(5432)", "") }, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "pg_hba rejects", inject: hba("host all locked_out 127.0.0.1/32 reject"), args: "db:test", exit: 1, says: "pg_hba.conf"},
	{name: "TLS wanted, not offered", inject: func(s *scene) { s.env["DATABASE_URL"] = s.url() + "&sslmode=require" }, args: "db:test", exit: 1, says: "does not offer it"},
	{name: "TLS wanted by the server only", inject: func(s *scene) {
		hba("hostssl all locked_out 127.0.0.1/32 scram-sha-256", "host all locked_out 127.0.0.1/32 reject")(s)
		s.env["DATABASE_URL"] = s.url() + "&sslmode=disable"
	}, args: "db:test", exit: 1, says: "127.0.0.1"},
	{name: "TLS with an unknown certificate", inject: withTLS("sslmode=verify-full"), args: "db:test", exit: 1, says: "certificate"},
	{name: "TLS with an unknown certificate, accepted", inject: withTLS("sslmode=require"), args: "db:test", says: "OK: logged in"},
	{name: "role may not log in", inject: func(s *scene) {
		s.alter("ALTER ROLE %s NOLOGIN", s.db().Role)
	}, args: "db:test", exit: 1, says: "may not log in"},
	{name: "role may not connect", inject: func(s *scene) {
		other := s.newDatabase()
		s.server.Exec(fmt.Sprintf("REVOKE CONNECT ON DATABASE %s FROM PUBLIC", pgx.Identifier{other.Name}.Sanitize()))
		s.as(s.db().Role, s.db().Password, other.Name)
	}, args: "db:test", exit: 1, says: "may not connect to database"},
}

// as sets another role, password or database on the scene's server.
func (s *scene) as(role, password, database string) {
	s.env["DATABASE_URL"] = s.server.URL(role, password, database, "connection_limit=5")
}

// named is a server of the scene's own with these names, and two idle sessions
// in the database; empty ones are as usual.
func (s *scene) named(database, role, password string) {
	s.own(pgserver.DisposableOptions{})
	if database == "" {
		database, role = s.db().Name+"_2", s.db().Role+"_2"
	}
	if password == "" {
		password = s.secret("x'")
	}
	s.use(s.server.NewNamedDatabase(database, role, password))
	s.leak = s.db().Open(2, "leak")
}

// hba is a server whose pg_hba.conf has these lines for role locked_out, which
// is the scene's.
func hba(lines ...string) func(*scene) {
	return func(s *scene) {
		s.own(pgserver.DisposableOptions{HBA: lines})
		s.use(s.server.NewNamedDatabase("shop", "locked_out", s.secret("x'")))
	}
}

// withTLS is a server with a certificate that it signed itself.
func withTLS(params string) func(*scene) {
	return func(s *scene) {
		s.own(pgserver.DisposableOptions{})
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			s.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			s.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			s.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: cert}, "server.key": {Type: "PRIVATE KEY", Bytes: secret}} {
			s.plant(name, pem.EncodeToMemory(block))
		}
		s.server.Exec("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
		s.env["DATABASE_URL"] = s.url() + "&" + params
		s.eventually("the server offers TLS", func() bool {
			conn, err := pgx.Connect(s.Context(), s.server.AdminURL("postgres")+"?sslmode=require")
			if err == nil {
				_ = conn.Close(s.Context())
			}
			return err == nil
		})
	}
}
