//go:build unix

package dbtasks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// writeLines are clients that nobody keeps and that have no limit, one of each
// driver: what they import, the client's name, what makes it, and how it is
// asked ("": it is compiled only).
var writeLines = map[string]struct{ imports, name, makes, ask string }{
	"pg":          {"import { Pool } from 'pg';", "pool", "new Pool({ connectionString: process.env.DATABASE_URL })", "pool.query('SELECT 1')"},
	"postgres":    {"import postgres from 'postgres';", "sql", "postgres(process.env.DATABASE_URL!)", "sql`SELECT 1`"},
	"drizzle-pg":  {"import { drizzle } from 'drizzle-orm/node-postgres';", "db", "drizzle(process.env.DATABASE_URL!)", "db.execute('SELECT 1')"},
	"drizzle-js":  {"import { drizzle } from 'drizzle-orm/postgres-js';", "db", "drizzle(process.env.DATABASE_URL!)", "db.execute('SELECT 1')"},
	"knex":        {"import knex from 'knex';", "db", "knex({ client: 'pg', connection: process.env.DATABASE_URL })", "db.raw('SELECT 1')"},
	"typeorm":     {"import { DataSource } from 'typeorm';", "dataSource", "new DataSource({ type: 'postgres', url: process.env.DATABASE_URL })", ""},
	"sequelize":   {"import { Sequelize } from 'sequelize';", "sequelize", "new Sequelize(process.env.DATABASE_URL!, { dialect: 'postgres', logging: false })", "sequelize.query('SELECT 1')"},
	"pg-promise":  {"import pgPromise from 'pg-promise';\nconst pgp = pgPromise();", "db", "pgp(process.env.DATABASE_URL!)", "db.any('SELECT 1')"},
	"pg-boss":     {"import { PgBoss } from 'pg-boss';", "boss", "new PgBoss(process.env.DATABASE_URL!)", ""},
	"neon":        {"import { Pool } from '@neondatabase/serverless';", "pool", "new Pool({ connectionString: process.env.DATABASE_URL })", ""},
	"slonik":      {"import { createPool } from 'slonik';", "pool", "createPool(process.env.DATABASE_URL!)", ""},
	"databases":   {"import createConnectionPool from '@databases/pg';", "db", "createConnectionPool(process.env.DATABASE_URL!)", ""},
	"mikro":       {"import { MikroORM } from '@mikro-orm/postgresql';", "orm", "new MikroORM({ clientUrl: process.env.DATABASE_URL, entities: [] })", ""},
	"vercel-pool": {"import { createPool } from '@vercel/postgres';", "pool", "createPool({ connectionString: process.env.DATABASE_URL })", ""},
}

const writePackages = `"pg": "8.23.1", "postgres": "3.4.9", "drizzle-orm": "0.45.4", "knex": "3.3.0", "typeorm": "1.1.1", "sequelize": "6.37.8", "pg-hstore": "2.3.4", "pg-promise": "12.7.1",
 "pg-boss": "12.38.0", "@neondatabase/serverless": "1.2.0", "slonik": "49.10.9", "@databases/pg": "6.1.0", "@mikro-orm/postgresql": "7.2.5", "@mikro-orm/core": "7.2.5", "@vercel/postgres": "0.10.0", "reflect-metadata": "0.2.2"`

// reloads evaluates a module again and again, as hot reload does, and asks it
// many times at once.
const reloads = `
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
for (let n = 0; n < 4; n++) {
	const path = process.argv[2];
	let module;
	if (path.includes('cjs')) {
		delete require.cache[path];
		module = require(path);
	} else {
		module = await import(pathToFileURL(path) + '?' + n);
	}
	await Promise.all(Array.from({ length: 12 }, () => module.ask()));
}
console.log('asked');
process.stdin.once('end', () => process.exit(0)).resume();
`

// Whoever writes what dev:check says has a project that compiles, and whose
// client stays within its limit when it is evaluated again.
func TestWhatTheCheckSaysToWriteCompilesUnderStrictAndKeepsTheClient(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs from npm")
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 60})
	db := s.NewDatabase()
	a := stack{name: "write lines", node: "22", client: "esm/x", files: nil}.with("package.json", `{"name": "shop", "private": true, "dependencies": {`+writePackages+`}, "devDependencies": {"typescript": "5.9.3", "@types/node": "22.19.0", "@types/pg": "8.23.1"}}`).
		make(t, db.URL("options=-c%20dbtasks.pool_limit%3D3"))
	for kind, module := range map[string]string{"esm": "module", "cjs": "commonjs"} {
		a.write("package.json", `{"name": "shop", "private": true, "type": "`+module+`", "scripts": {"dev": "next dev"}, "dependencies": {"next": "16.4.6", `+writePackages+`}}`)
		if err := os.MkdirAll(filepath.Join(a.root, kind), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, c := range writeLines {
			a.write(filepath.Join(kind, name+".ts"), c.imports+"\nexport const "+c.name+" = "+c.makes+";\n")
		}
		keep, limit := a.toWrite()
		for name, c := range writeLines {
			file := kind + "/" + name + ".ts"
			if keep[file] == "" || limit[file] == "" {
				t.Errorf("dev:check does not say what to write in %s: keep %q, limit %q", file, keep[file], limit[file])
				continue
			}
			makes := c.makes
			if limit[file] != "" {
				makes = limit[file]
			}
			line := keep[file]
			at := strings.Index(line, "(…)")
			if at < 0 {
				t.Errorf("%s: %q", file, line)
				continue
			}
			from := max(strings.LastIndex(line[:at], "=> "), strings.LastIndex(line[:at], "= ")) + 1
			from = from + strings.IndexFunc(line[from:], func(r rune) bool { return r != ' ' && r != '>' })
			if name == "databases" && kind == "esm" {
				makes = strings.Replace(makes, "(", ".default(", 1) // its types are CommonJS's
			}
			text := c.imports + "\n" + line[:from] + makes + line[at+len("(…)"):] + "\n"
			if c.ask != "" {
				text += "export const ask = () => " + c.ask + ";\n"
			}
			a.write(file, text)
		}
		a.write(filepath.Join(kind, "tsconfig.json"), `{"compilerOptions": {"strict": true, "module": "nodenext", "target": "es2022", "skipLibCheck": true, "outDir": "../node_modules/.`+kind+`", "rootDir": ".", "types": ["node"]}}`)
		a.write(filepath.Join(kind, "package.json"), `{"type": "`+module+`"}`)
		if out, err := a.command("npx", "--no-install", "tsc", "-p", kind).CombinedOutput(); err != nil {
			t.Errorf("%s does not compile under strict: %v\n%s", kind, err, out)
		}
		a.write(filepath.Join("node_modules", "."+kind, "package.json"), `{"type": "`+module+`"}`)
		if err := os.RemoveAll(filepath.Join(a.root, kind)); err != nil { // dev:check is to find the other kind alone
			t.Fatal(err)
		}
	}
	a.write("reloads.mjs", reloads)
	for name, c := range writeLines {
		for _, kind := range []string{"esm", "cjs"} {
			if c.ask == "" {
				continue
			}
			held := a.reloaded(filepath.Join(a.root, "node_modules", "."+kind, name+".js"), func() int { return s.Sessions(db.Name) })
			if held < 1 || held > 3 {
				t.Errorf("%s, %s: %d sessions after 4 evaluations, the limit is 3", name, kind, held)
			}
			pgtest.Eventually(t, 10*time.Second, "its sessions are gone", func() bool { return s.Sessions(db.Name) == 0 })
		}
	}
}

// reloaded is how many sessions there are after a module was evaluated four
// times and asked; 0 where that failed.
func (a *app) reloaded(module string, sessions func() int) (held int) {
	a.t.Helper()
	node := a.command("node", "reloads.mjs", module)
	in, err := node.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	var said bytes.Buffer
	node.Stderr = &said
	if err := node.Start(); err != nil {
		a.t.Fatal(err)
	}
	for text := bufio.NewScanner(out); text.Scan(); {
		if text.Text() == "asked" { // a driver may say what it does, too
			held = sessions()
			break
		}
	}
	_ = in.Close()
	if err := node.Wait(); err != nil {
		a.t.Errorf("%s: %v: %s", module, err, &said)
	}
	return held
}

// toWrite is what dev:check says to write, by file: to keep the client, and for
// its limit.
func (a *app) toWrite() (keep, limit map[string]string) {
	a.t.Helper()
	o := a.run("dev:check", "-json")
	var r struct {
		Items []struct {
			Findings []struct{ Verdict, File, Problem, Write string }
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		a.t.Fatalf("%v: %s", err, o)
	}
	keep, limit = map[string]string{}, map[string]string{}
	for _, item := range r.Items {
		for _, f := range item.Findings {
			switch {
			case f.Verdict != "wrong":
			case strings.Contains(f.Problem, "is not kept"):
				keep[f.File] = f.Write
			case strings.Contains(f.Problem, " max") || strings.Contains(f.Problem, "takes") || strings.Contains(f.Problem, "pool"):
				limit[f.File] = f.Write
			}
		}
	}
	return keep, limit
}

// with is the stack with one file more.
func (s stack) with(name, text string) stack {
	s.files = append(s.files, txtar.File{Name: name, Data: []byte(text)})
	return s
}
