package pgops

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// overNetwork is a connection that says its other end is another machine.
type overNetwork struct{ net.Conn }

func (overNetwork) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 5432} }

func TestAPasswordGoesInClearOnlyWhereNobodyElseCanReadIt(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PGPASSFILE", home+"/pgpass")
	if err := os.WriteFile(home+"/pgpass", []byte("*:*:*:*:s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{HBA: []string{
		"host all clear 127.0.0.1/32 password", "host all hashed 127.0.0.1/32 md5", "host all salted 127.0.0.1/32 scram-sha-256",
	}})
	for _, role := range []string{"clear", "hashed", "salted"} {
		s.NewNamedDatabase(role, role, "s3cret")
	}
	s.Exec("SET password_encryption = 'md5'", "ALTER ROLE hashed PASSWORD 's3cret'")
	for _, c := range []struct {
		role, params string
		network      bool
		want         Cause
		stored       bool // the password is not in the URL
	}{
		{"clear", "", false, "", false},
		{"hashed", "", false, "", false},
		{"salted", "", true, "", false},
		{"clear", "", true, CausePasswordInClear, false},
		{"hashed", "", true, CausePasswordInClear, false},
		{"clear", "&require_auth=password", true, "", false},
		{"hashed", "&require_auth=md5,scram-sha-256", true, "", false},
		{"clear", "&require_auth=!md5", true, CausePasswordInClear, false},
		{"salted", "", false, "", true},
		{"clear", "", false, CausePasswordInClear, true},
		{"hashed", "", false, CausePasswordInClear, true},
	} {
		t.Run(fmt.Sprint(c.role, c.params, c.network, c.stored), func(t *testing.T) {
			password := "s3cret"
			if c.stored {
				password = ""
			}
			cfg, err := settings.Load(t.TempDir(), []string{"DATABASE_URL=" + s.URL(c.role, password, c.role, "connection_limit=1") + c.params})
			if err != nil {
				t.Fatal(err)
			}
			url, err := cfg.Database()
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			address, err := NewPin(url).Reach(ctx)
			if err != nil {
				t.Fatal(err)
			}
			pin := AtThrough(url, address, func(ctx context.Context, a Address) (net.Conn, error) {
				conn, err := dial(ctx, a, 1)
				if c.network && err == nil {
					conn = overNetwork{conn}
				}
				return conn, err
			})
			conn, err := pin.Login(ctx)
			if got := CauseOf(err); got != c.want {
				t.Errorf("%q (%v), want %q", got, err, c.want)
			}
			if conn != nil {
				Logout(ctx, conn)
			}
		})
	}
}
