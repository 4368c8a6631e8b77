package checklist

import (
	"fmt"
	"slices"
	"testing"
)

// made are the clients of a report: "src/a.ts:3 new Pool()".
func made(r Report) []string {
	list := []string{}
	for _, c := range r.Clients {
		list = append(list, fmt.Sprintf("%s:%d %s", c.File, c.Line, c.Makes))
	}
	slices.Sort(list)
	return list
}

func TestAClientIsFoundByWhateverNameItComes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files string
		want  []string
	}{
		"renamed import":        {"-- a.ts --\nimport { Pool as P } from 'pg';\nexport const a = new P();", []string{"a.ts:2 new Pool()"}},
		"default import":        {"-- a.ts --\nimport pg from 'pg';\nexport const a = new pg.Pool();", []string{"a.ts:2 new Pool()"}},
		"namespace import":      {"-- a.ts --\nimport * as p from 'pg';\nexport const a = new p.Client();", []string{"a.ts:2 new Client()"}},
		"destructured default":  {"-- a.ts --\nimport pg from 'pg';\nconst { Pool } = pg;\nexport const a = new Pool();", []string{"a.ts:3 new Pool()"}},
		"require":               {"-- a.js --\nconst pg = require('pg');\nmodule.exports = new pg.Pool();", []string{"a.js:2 new Pool()"}},
		"require, destructured": {"-- a.cjs --\nconst { Pool: Q } = require('pg');\nexports.a = new Q();", []string{"a.cjs:2 new Pool()"}},
		"require in place":      {"-- a.cjs --\nexports.a = new (require('pg').Pool)();", []string{"a.cjs:1 new Pool()"}},
		"native":                {"-- a.cjs --\nexports.a = new (require('pg').native.Pool)();", []string{"a.cjs:1 new Pool()"}},
		"without new":           {"-- a.js --\nimport { Pool } from 'pg';\nexport const a = Pool();", []string{"a.js:2 new Pool()"}},
		"dynamic import":        {"-- a.mts --\nconst { Pool } = await import('pg');\nexport const a = new Pool();", []string{"a.mts:2 new Pool()"}},
		"dynamic default":       {"-- a.mts --\nconst pg = (await import('pg')).default;\nexport const a = new pg.Pool();", []string{"a.mts:2 new Pool()"}},
		"then":                  {"-- a.ts --\nexport const a = import('pg').then((m) => m.Pool);\nexport const f = async () => new (await a)();", []string{"a.ts:2 new Pool()"}},
		"import equals":         {"-- a.ts --\nimport pg = require('pg');\nexport const a = new pg.Pool();", []string{"a.ts:2 new Pool()"}},
		"re-exported":           {"-- lib/pg.ts --\nexport { Pool as Connections } from 'pg';\n-- a.ts --\nimport { Connections } from './lib/pg';\nexport const a = new Connections();", []string{"a.ts:2 new Pool()"}},
		"re-exported twice":     {"-- lib/x.ts --\nexport * from './y';\n-- lib/y.ts --\nimport { Pool } from 'pg';\nexport { Pool };\n-- a.ts --\nimport * as x from './lib/x.js';\nexport const a = new x.Pool();", []string{"a.ts:2 new Pool()"}},
		"re-exported namespace": {"-- lib/x.ts --\nexport * as pg from 'pg';\n-- a.ts --\nimport { pg } from './lib/x';\nexport const a = new pg.Pool();", []string{"a.ts:2 new Pool()"}},
		"from CommonJS":         {"-- lib/x.cjs --\nmodule.exports = { Pool: require('pg').Pool };\n-- a.mjs --\nimport x from './lib/x.cjs';\nexport const a = new x.Pool();", []string{"a.mjs:2 new Pool()"}},
		"by tsconfig paths":     {"-- tsconfig.json --\n{ /* aliases */ \"compilerOptions\": { \"paths\": { \"#db/*\": [\"./lib/*\"], }, }, }\n-- lib/pg.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '#db/pg';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"by extended paths":     {"-- tsconfig.json --\n{ \"extends\": \"./tsconfig.base.json\" }\n-- tsconfig.base.json --\n{ \"compilerOptions\": { \"baseUrl\": \"src\", \"paths\": { \"@/*\": [\"*\"] } } }\n-- src/lib/pg.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '@/lib/pg';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"by references":         {"-- tsconfig.json --\n{ \"files\": [], \"references\": [{ \"path\": \"./tsconfig.app.json\" }] }\n-- tsconfig.app.json --\n{ \"compilerOptions\": { \"paths\": { \"~\": [\"./src/pg.ts\"] } } }\n-- src/pg.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '~';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"by Vite's alias":       {"-- vite.config.ts --\nimport { fileURLToPath } from 'node:url';\nexport default { resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } } };\n-- src/pg.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '@/pg';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"by Svelte's alias":     {"-- svelte.config.js --\nexport default { kit: { alias: { $db: 'src/pg' } } };\n-- src/pg/index.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '$db';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"by the plugin's alias": {"-- vite.config.ts --\nimport { sveltekit } from '@sveltejs/kit/vite';\nexport default { plugins: [sveltekit({ alias: { $db: './src/pg' } })] };\n-- src/pg/index.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '$db';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"of the workspace":      {"-- packages/db/package.json --\n{ \"name\": \"@shop/data\", \"main\": \"./dist/index.js\" }\n-- packages/db/src/index.ts --\nexport { Pool } from 'pg';\n-- apps/web/a.ts --\nimport { Pool } from '@shop/data';\nexport const a = new Pool();", []string{"apps/web/a.ts:2 new Pool()"}},
		"by package imports":    {"-- package.json --\n{ \"imports\": { \"#db\": { \"default\": \"./src/pg.ts\" }, \"#x/*\": \"./x/*.ts\" } }\n-- src/pg.ts --\nexport * from '#x/pg';\n-- x/pg.ts --\nexport { Pool } from 'pg';\n-- src/a.ts --\nimport { Pool } from '#db';\nexport const a = new Pool();", []string{"src/a.ts:2 new Pool()"}},
		"generated client":      {"-- a.ts --\nimport { PrismaClient } from './db/generated/client';\nexport const a = new PrismaClient();", []string{"a.ts:2 new PrismaClient()"}},
		"tracked client":        {"-- gen/client.ts --\n/* !!! This is code generated by Prisma. Do not edit directly. !!! */\nexport const PrismaClient = make();\n-- a.ts --\nimport { PrismaClient } from './gen/client';\nexport const a = new PrismaClient();", []string{"a.ts:2 new PrismaClient()"}},
		"of a workspace":        {"-- a.ts --\nimport { PrismaClient } from '@shop/prisma';\nimport { Pool } from 'pg';\nexport const a = new PrismaClient(), p = Pool;", []string{"a.ts:3 new PrismaClient()"}},
		"drizzle's own":         {"-- a.ts --\nimport { drizzle } from 'drizzle-orm/postgres-js';\nexport const a = drizzle(process.env.DATABASE_URL!);", []string{"a.ts:2 drizzle()"}},
		"drizzle over postgres": {"-- a.ts --\nimport { drizzle } from 'drizzle-orm/postgres-js';\nimport postgres from 'postgres';\nexport const a = drizzle(postgres('x', { max: 3 }));", []string{"a.ts:3 postgres()"}},
		"svelte":                {"-- a.svelte --\n<p>1</p>\n\n<script lang=ts>\n  import { Pool } from 'pg';\n  const a: Pool = new Pool();\n</script>", []string{"a.svelte:5 new Pool()"}},
		"svelte, two blocks":    {"-- a.svelte --\n<script module>\n  import { Pool } from 'pg';\n</script>\n<script>\n  let a = new Pool();\n</script>", []string{"a.svelte:5 new Pool()"}},
		"vue":                   {"-- a.vue --\n<template><p v-if=\"1 > 0\">x</p></template>\n<script setup lang=\"ts\">\nimport { Pool } from 'pg'\nnew Pool()\n</script>", []string{"a.vue:4 new Pool()"}},
		"jsx":                   {"-- a.jsx --\nimport { Pool } from 'pg';\nexport const A = () => <p title=\"new Pool()\">new Pool() {String(new Pool())}</p>;", []string{"a.jsx:2 new Pool()"}},
		"generics, not JSX":     {"-- a.ts --\nimport { Pool } from 'pg';\nconst f = <T>(x: T) => x;\nexport const a = f<Pool>(new Pool()) as Pool;", []string{"a.ts:3 new Pool()"}},
		"decorators":            {"-- a.ts --\nimport { Pool } from 'pg';\n@Injectable()\nexport class A { @Inject() private readonly pool = new Pool(); constructor(private x: string) {} }", []string{"a.ts:3 new Pool()"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, c.files)
			if got := made(r); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatOnlyLooksLikeAClientIsNone(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]string{
		"comment":              "-- a.ts --\nimport { Pool } from 'pg';\n// new Pool()\n/* new Pool() */\nexport type A = Pool;",
		"string and template":  "-- a.ts --\nimport * as pg from 'pg';\nexport const a = [\"new Pool()\", 'new pg.Pool()', `new pg.Pool() ${pg.types} new Pool()`];",
		"regular expression":   "-- a.ts --\nimport * as pg from 'pg';\nexport const a = /new pg.Pool()\\/*/.test('') && pg.types; // */",
		"type":                 "-- a.ts --\nimport type { PrismaClient } from '@prisma/client';\nimport { type Pool } from 'pg';\nexport const f = (a: PrismaClient, b: Pool) => [a, b];",
		"type without a mark":  "-- a.ts --\nimport { PrismaClient, Prisma } from '@prisma/client';\nexport const f = (a: PrismaClient) => a.user.count(Prisma.sql);",
		"shadowed parameter":   "-- a.ts --\nimport { Pool } from 'pg';\nexport const f = (Pool: any) => new Pool();\nexport const g = Pool;",
		"shadowed block":       "-- a.cjs --\nconst { Pool } = require('pg');\n{ class Pool {} exports.a = new Pool(); }",
		"shadowed in function": "-- a.cjs --\nconst { Pool } = require('pg');\nexports.f = function () { var Pool = Map; return new Pool(); };",
		"caught":               "-- a.cjs --\nconst { Pool } = require('pg');\ntry { x(); } catch (Pool) { new Pool(); }",
		"another package":      "-- a.ts --\nimport { Pool } from 'undici';\nimport { Client } from '@notionhq/client';\nexport const a = new Pool('x'), b = new Client();",
		"own class":            "-- pool.ts --\nexport class Pool {}\n-- a.ts --\nimport { Pool } from './pool';\nimport 'pg';\nexport const a = new Pool();",
		"require of one's own": "-- a.js --\nfunction f(require) { const { Pool } = require('pg'); return Pool; }\nexport const text = \"require('pg')\";",
		"markup":               "-- a.svelte --\n<!-- <script>import { Pool } from 'pg'; new Pool()</script> -->\n<p title=\"<script>new Pool()</script>\">new Pool()</p>\n<style>/* <script> new Pool() </script> */</style>",
		"attribute in braces":  "-- a.svelte --\n<A b={`<script>import 'pg'; new Pool()</script>`} />",
		"member of a client":   "-- a.ts --\nimport pg from 'pg';\npg.defaults.parseInt8 = true;\nexport const e = new pg.DatabaseError('x', 1, 'error');",
		"schema of drizzle":    "-- a.ts --\nimport { pgTable } from 'drizzle-orm/pg-core';\nexport const a = pgTable('new Pool()', {});",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, files)
			if got := made(r); len(got) > 0 {
				t.Errorf("%q", got)
			}
			if r.NoClient == "" || r.OK || r.CantTell == 0 {
				t.Errorf("a project without a client is green: %+v", r)
			}
		})
	}
}

func TestWhatGitIgnoresAndWhatABuildMadeIsLeftOut(t *testing.T) {
	t.Parallel()
	const client = "import { Pool } from 'pg';\nnew Pool();\n"
	root := t.TempDir()
	for _, file := range []string{"src/db.ts", "node_modules/x/index.js", "build/server.js", ".svelte-kit/output/a.js", "packages/a/node_modules/y/index.js", "local/try.ts", "src/lib.min.js"} {
		write(t, root, file, client)
	}
	write(t, root, ".gitignore", "local/\n")
	r := checked(t, root)
	if got, want := made(r), []string{"local/try.ts:2 new Pool()", "src/db.ts:2 new Pool()"}; !slices.Equal(got, want) {
		t.Errorf("without git %q, want %q", got, want)
	}
	git(t, root, "init", "-q")
	r = checked(t, root)
	if got, want := made(r), []string{"src/db.ts:2 new Pool()"}; !slices.Equal(got, want) {
		t.Errorf("with git %q, want %q", got, want)
	}
}
