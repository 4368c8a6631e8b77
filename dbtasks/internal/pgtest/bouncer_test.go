package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

func TestABouncerSharesSessionsAmongItsClientsAndIsGoneWithItsTest(t *testing.T) {
	t.Parallel()
	var dir string
	t.Run("while it runs", func(t *testing.T) {
		s := Start(t, pgserver.DisposableOptions{})
		db := s.NewDatabase()
		b := StartBouncer(t, BouncerOptions{Settings: map[string]string{"default_pool_size": "2"}}, db)
		dir = filepath.Dir(b.log)
		for _, c := range b.Connect(db, 10) {
			if _, err := c.Exec(context.Background(), "SELECT 1"); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Sessions(db.Name); n < 1 || n > 2 {
			t.Errorf("%d sessions of the server for 10 clients, want 1 or 2", n)
		}
		console := Connect(t, b.ConsoleURL(BouncerStats)+"?default_query_exec_mode=simple_protocol")
		rows, err := console.Query(context.Background(), "SHOW CLIENTS")
		if err != nil {
			t.Fatal(err)
		}
		clients, err := pgx.CollectRows(rows, pgx.RowToMap)
		if err != nil || len(clients) != 11 {
			t.Errorf("the console shows %d clients (%v), want 11", len(clients), err)
		}
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", dir, err)
	}
}
