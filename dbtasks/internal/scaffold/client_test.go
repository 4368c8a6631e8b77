package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What makes the client is jscode's answer, whatever the driver is called: a
// project that has one gets no second pool beside it.
func TestNoPoolIsWrittenBesideAClientThatIsThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dependencies, file, code string
		action                   Action
		why                      string
	}{
		"Knex": {`"knex": "^3.1.0", "pg": "^8.16.0"`, "lib/db.js", "import knex from 'knex';\nexport const db = knex({ client: 'pg', connection: process.env.DATABASE_URL });\n",
			Differs, "makes a new client (Knex) at every reload"},
		"TypeORM that is kept": {`"typeorm": "^0.3.20", "pg": "^8.16.0"`, "lib/db.ts", "import { DataSource } from 'typeorm';\nconst g = globalThis as any;\nexport const source: DataSource = (g.source ??= new DataSource({ type: 'postgres', url: process.env.DATABASE_URL }));\n",
			Keep, "makes the client (TypeORM) and keeps it"},
		"drizzle with a pool of its own": {`"drizzle-orm": "^0.44.0", "pg": "^8.16.0"`, "src/db.ts", "import { drizzle } from 'drizzle-orm/node-postgres';\nexport const db = drizzle(process.env.DATABASE_URL!);\n",
			Differs, "makes a new client (drizzle over node-postgres) at every reload"},
		"a Pool under another name": {`"pg": "^8.16.0"`, "lib/connections.ts", "import { Pool as Connections } from 'pg';\nexport const connections = new Connections({ max: 5 });\n",
			Differs, "makes a new client at every reload"},
		"stored and never looked for": {`"pg": "^8.16.0"`, "lib/db.ts", "import { Pool } from 'pg';\nexport const pool = new Pool({ max: 5 });\n(globalThis as any).pool = pool;\n",
			Differs, "makes a new client at every reload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for file, text := range map[string]string{
				"package.json": `{ "scripts": { "dev": "next dev" }, "dependencies": { "next": "^16.0.0", ` + c.dependencies + ` } }`,
				".env":         "DATABASE_URL=\"postgresql://shop:shop@127.0.0.1:5432/shop?connection_limit=5\"\n",
				c.file:         c.code,
			} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			plan := planned(t, root)
			found := false
			for _, s := range plan.Steps {
				if s.Path == c.file {
					found = true
					if s.Action != c.action || !strings.HasPrefix(s.Why, c.why) || c.action == Differs && s.Show == "" {
						t.Errorf("%s %q, want %s %q; shown:\n%s", s.Action, s.Why, c.action, c.why, s.Show)
					}
				} else if s.Action == Create && strings.Contains(string(s.after), "new Pool") {
					t.Errorf("a second pool is written: %s", s.Path)
				}
			}
			if !found {
				t.Errorf("%s is not named:\n%s", c.file, listing(plan))
			}
		})
	}
}
