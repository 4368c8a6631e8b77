package pgops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Console is a login at PgBouncer's own console, the database "pgbouncer".
// It takes no session of the server. Only SHOW is ever sent: PAUSE and KILL
// keep everybody waiting until somebody says RESUME.
type Console struct {
	conn *pgx.Conn
	// Version is PgBouncer's: "1.18.0".
	Version string
}

// ErrNoConsole: what answers is a server with a database "pgbouncer", or a
// pooler of another make.
var ErrNoConsole = errors.New("this is no PgBouncer's console")

// OpenConsole logs in at the pinned address with the role of the URL, which has
// to be one of PgBouncer's stats_users or admin_users. The context bounds it;
// the caller closes it.
//
// PgBouncer is told by the server_version that its console gives at the login,
// "1.18.0/bouncer": SHOW VERSION answers with a notice in 1.12 and a row later.
func OpenConsole(ctx context.Context, pin *Pin, url *settings.URL) (*Console, error) {
	conn, err := pin.LoginAs(ctx, url)
	if err != nil {
		return nil, err
	}
	version, ok := strings.CutSuffix(conn.PgConn().ParameterStatus("server_version"), "/bouncer")
	if !ok {
		Logout(ctx, conn)
		return nil, ErrNoConsole
	}
	return &Console{conn: conn, Version: version}, nil
}

// Close says goodbye.
func (c *Console) Close(ctx context.Context) { Logout(ctx, c.conn) }

// Look asks for the settings, databases, pools, clients and server connections.
func (c *Console) Look(ctx context.Context) (PgBouncer, error) {
	var shown [5][]map[string]string
	for i, what := range []string{"CONFIG", "DATABASES", "POOLS", "CLIENTS", "SERVERS"} {
		var err error
		if shown[i], err = c.show(ctx, what); err != nil {
			return PgBouncer{}, fmt.Errorf("ask PgBouncer's console: SHOW %s: %w", what, err)
		}
	}
	b := readBouncer(shown, time.Now())
	b.Version = c.Version
	return b, nil
}

// show is a table of the console, each row by the names of its columns: which
// there are, and in which order, differs from version to version.
func (c *Console) show(ctx context.Context, what string) ([]map[string]string, error) {
	results, err := c.conn.PgConn().Exec(ctx, "SHOW "+what).ReadAll()
	if err != nil {
		return nil, err
	}
	var list []map[string]string
	for _, r := range results {
		for _, values := range r.Rows {
			row := map[string]string{}
			for i, f := range r.FieldDescriptions {
				row[f.Name] = string(values[i])
			}
			list = append(list, row)
		}
	}
	return list, nil
}
