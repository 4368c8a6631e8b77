package pgops

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// RoleTimeouts are the settings that SetRoleTimeouts writes on a server of this
// version: idle_session_timeout came with PostgreSQL 14, and
// transaction_timeout, which 17 has, would end a long migration.
func RoleTimeouts(server Server) []string {
	if server.VersionNum < 140000 {
		return []string{IdleInTransaction}
	}
	return []string{IdleSession, IdleInTransaction}
}

// RoleTimeoutSQL is the statement that sets, or for 0 takes back, a timeout of a
// role in a database. A role may do that for itself without any privilege
// (PostgreSQL's manual, ALTER ROLE). It holds from the next login.
func RoleTimeoutSQL(role, database, name string, d time.Duration) string {
	head := "ALTER ROLE " + pgx.Identifier{role}.Sanitize() + " IN DATABASE " + pgx.Identifier{database}.Sanitize()
	if d == 0 {
		return head + " RESET " + name
	}
	return head + " SET " + name + " = '" + strconv.FormatInt(d.Milliseconds(), 10) + "ms'"
}

// SetRoleTimeouts runs such statements as one: all of them hold, or none does.
func SetRoleTimeouts(ctx context.Context, conn *pgx.Conn, statements []string) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("set the role's timeouts: %w", err)
			}
		}
		return nil
	})
}

// LoginsTimeouts are the values that this session's login got, before the tool
// set its own (see ownSettings).
func LoginsTimeouts(ctx context.Context, conn *pgx.Conn, names []string) (map[string]time.Duration, error) {
	list := map[string]time.Duration{}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "RESET "+name, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, fmt.Errorf("ask for %s: %w", name, err)
		}
		var text string
		if err := conn.QueryRow(ctx, "SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) $1::pg_catalog.text", execMode(conn), name).Scan(&text); err != nil {
			return nil, fmt.Errorf("ask for %s: %w", name, err)
		}
		d, ok := ParseMilliseconds(text)
		if !ok {
			return nil, fmt.Errorf("ask for %s: the server says %q", name, text)
		}
		list[name] = d
	}
	return list, nil
}
