package pgops_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// urlOf reads a connection string as .env would give it.
func urlOf(t *testing.T, text string) *settings.URL {
	t.Helper()
	cfg, err := settings.Load(t.TempDir(), []string{"DATABASE_URL=" + text})
	if err != nil {
		t.Fatal(err)
	}
	u, err := cfg.Database()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// login opens the tool's own session with a URL.
func login(t *testing.T, text string) *pgx.Conn {
	t.Helper()
	conn, err := pgops.NewPin(urlOf(t, text)).Login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pgops.Logout(context.Background(), conn) })
	return conn
}
