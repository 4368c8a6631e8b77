package checklist

import (
	"slices"
	"testing"
)

func TestAListenerAndAnEndCountInEveryUsualForm(t *testing.T) {
	t.Parallel()
	const listener = "3 wrong src/db.ts:2 new Pool() has no error listener"
	const end = "3 advice src/db.ts:2 new Pool() is not disconnected when the process ends"
	const pool = "-- package.json --\n{\"dependencies\":{\"next\":\"16.0.0\"}}\n-- src/db.ts --\nimport { Pool } from 'pg';\nexport const pool = globalThis.pool ?? new Pool({ max: 5 }); globalThis.pool = pool;\n"
	const hears = "pool.on('error', () => {});\n"
	const ends = "process.once('SIGTERM', () => pool.end());\n"
	for name, c := range map[string]struct {
		code string
		want []string
	}{
		"neither":                        {"", []string{listener, end}},
		"both":                           {hears + ends, nil},
		"beforeExit":                     {hears + "process.on('beforeExit', async () => { await pool.end(); });", nil},
		"by name":                        {hears + "const close = () => pool.end(); process.on('SIGINT', close);", nil},
		"by a function that calls":       {hears + "async function close() { await pool.end(); } process.on('SIGINT', () => { void close().finally(() => process.exit()); });", nil},
		"a list of signals":              {hears + "for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => pool.end());", nil},
		"in another module":              {hears + "-- src/server.ts --\nimport { pool } from './db';\nserver.on('close', () => pool.end());", nil},
		"Fastify":                        {hears + "-- src/server.ts --\nimport { pool } from './db';\napp.addHook('onClose', async () => { await pool.end(); });", nil},
		"Nest":                           {hears + "-- src/server.ts --\nimport { pool } from './db';\nexport class Db { async onModuleDestroy() { await pool.end(); } }", nil},
		"Vite's dispose":                 {hears + "if (import.meta.hot) import.meta.hot.dispose(() => pool.end());", nil},
		"handed to a helper":             {"function look(p: Pool) { p.on('error', () => {}); process.once('SIGTERM', () => p.end()); } look(pool);", nil},
		"listener from another module":   {ends + "-- src/server.ts --\nimport * as db from './db';\ndb.pool.on('error', console.error);", nil},
		"exit is too late":               {hears + "process.on('exit', () => pool.end());", []string{end}},
		"an own process":                 {hears + "const process = { on() {} } as any; process.on('SIGTERM', () => pool.end());", []string{end}},
		"at the end of each request":     {hears + "export async function GET() { try { return 1; } finally { await pool.end(); } }", []string{end}},
		"another object's end":           {hears + "process.on('SIGTERM', () => response.end());", []string{end}},
		"another event":                  {ends + "pool.on('connect', () => {});", []string{listener}},
		"another object's listener":      {ends + "process.on('error', () => {}); server.on('error', () => {});", []string{listener}},
		"only in comments and templates": {"// pool.on('error', f)\nexport const s = `process.on('SIGTERM', () => pool.end())`;", []string{listener, end}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, pool+c.code)
			if got := findingsOf(r, 3); !slices.Equal(got, c.want) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

func TestAClientUnderDrizzleIsClosedThroughIt(t *testing.T) {
	t.Parallel()
	const db = "-- package.json --\n{\"dependencies\":{\"next\":\"16.0.0\"}}\n-- src/db.ts --\nimport { drizzle } from 'drizzle-orm/postgres-js';\nimport postgres from 'postgres';\nconst client = globalThis.client ?? postgres('x', { max: 5 }); globalThis.client = client;\nexport const db = drizzle(client);\n"
	r, _ := inline(t, db+"-- src/other.ts --\nimport postgres from 'postgres';\nexport const other = postgres('x');\n")
	if got, want := findingsOf(r, 3), []string{"3 advice src/db.ts:3 postgres() is not disconnected when the process ends"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := r.Items[0].Findings[0].Write; got != "import { db } from './db';" {
		t.Error(got)
	}
	for _, end := range []string{"db.$client.end()", "client.end()"} {
		r, _ = inline(t, db+"process.on('SIGTERM', () => "+end+");\n")
		if got := findingsOf(r, 3); len(got) > 0 {
			t.Errorf("%s: %q", end, got)
		}
	}
}
