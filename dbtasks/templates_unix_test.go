//go:build unix

package dbtasks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/npmtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// template is an app as its framework's own creator makes it, at the time of the
// test, or a service as its driver's documents have it, with a page that asks
// the database.
type template struct {
	name   string
	create [][]string        // run in the folder above; they make the folder shop
	files  map[string]string // written over it
	after  [][]string        // run in it, when its packages are there
	always bool              // else with DBTASKS_STACKS=all, or its name there
	golang bool
}

const next = "npx --yes create-next-app@latest shop --ts --no-eslint --app --no-tailwind --src-dir --skip-install --disable-git --use-npm --yes"

var templates = []template{
	{name: "sv-drizzle", always: true,
		create: [][]string{
			strings.Fields("npx --yes sv create shop --template minimal --types ts --no-install --no-add-ons"),
			strings.Fields("npx --yes sv add drizzle=database:postgresql+client:postgres.js+docker:no --cwd shop --no-install --no-git-check"),
		},
		files: map[string]string{
			"src/routes/+page.server.ts": "import { sql } from 'drizzle-orm';\nimport { db } from '$lib/server/db';\n\nexport const load = async () => ({ n: Number((await db.execute(sql`select 41 + 1 as n`))[0].n) });\n",
			"src/routes/+page.svelte":    "<script>let { data } = $props();</script>\n<p>the answer is {data.n}</p>\n",
		}},
	{name: "t3-drizzle",
		create: [][]string{strings.Fields("npx --yes create-t3-app@latest shop --CI --noGit --noInstall --drizzle true --trpc false --tailwind false --nextAuth false --appRouter true --dbProvider postgres")},
		files: map[string]string{
			"src/app/page.tsx": "import { sql } from \"drizzle-orm\";\nimport { db } from \"~/server/db\";\n\nexport const dynamic = \"force-dynamic\";\n\nexport default async function Home() {\n\tconst rows = await db.execute(sql`select 41 + 1 as n`);\n\treturn <p>{`the answer is ${String(rows[0]!.n)}`}</p>;\n}\n",
		}},
	{name: "next-prisma7",
		create: [][]string{strings.Fields(next), {"sh", "-c", "cd shop && npm install --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error @prisma/client@7 @prisma/adapter-pg@7 dotenv && npm install -D --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error prisma@7"}},
		files: map[string]string{
			"prisma/schema.prisma": "generator client {\n\tprovider = \"prisma-client\"\n\toutput = \"../src/generated/prisma\"\n}\n\ndatasource db {\n\tprovider = \"postgresql\"\n}\n",
			"prisma.config.ts":     "import \"dotenv/config\";\nimport { defineConfig } from \"prisma/config\";\n\nexport default defineConfig({ schema: \"prisma/schema.prisma\", datasource: { url: process.env.DATABASE_URL } });\n",
			"src/lib/prisma.ts":    "import { PrismaPg } from \"@prisma/adapter-pg\";\nimport { PrismaClient } from \"../generated/prisma/client\";\n\nconst kept = globalThis as unknown as { prisma?: PrismaClient };\nexport const prisma = (kept.prisma ??= new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL!, max: 5 }) }));\n",
			"src/app/page.tsx":     "import { connection } from \"next/server\";\nimport { Suspense } from \"react\";\nimport { prisma } from \"@/lib/prisma\";\n\nasync function Answer() {\n\tawait connection();\n\tconst rows = await prisma.$queryRaw<{ n: number }[]>`select 41 + 1 as n`;\n\treturn <p>{`the answer is ${rows[0].n}`}</p>;\n}\n\nexport default function Home() {\n\treturn <Suspense><Answer /></Suspense>;\n}\n",
			".env":                 "# This was inserted by `prisma init`:\nDATABASE_URL=\"prisma+postgres://localhost:51213/?api_key=x\"\n",
		},
		after: [][]string{{"npx", "prisma", "generate"}}},
	{name: "nuxt-drizzle",
		create: [][]string{{"mkdir", "-p", "shop/server/api", "shop/server/utils", "shop/app"}},
		files: map[string]string{
			"package.json":       `{"name":"shop","private":true,"type":"module","scripts":{"dev":"nuxt dev"},"dependencies":{"nuxt":"4","vue":"3","drizzle-orm":"0.45","postgres":"3"}}`,
			"nuxt.config.ts":     "export default defineNuxtConfig({ compatibilityDate: '2025-07-15', telemetry: false });\n",
			"server/utils/db.ts": "import { drizzle } from 'drizzle-orm/postgres-js';\nimport postgres from 'postgres';\n\nexport const db = drizzle(postgres(process.env.DATABASE_URL!, { max: 5 }));\n",
			"server/api/n.ts":    "import { sql } from 'drizzle-orm';\n\nexport default defineEventHandler(async () => (await db.execute(sql`select 41 + 1 as n`))[0].n);\n",
			"app/app.vue":        "<script setup>\nconst { data } = await useFetch('/api/n');\n</script>\n<template><p>the answer is {{ data }}</p></template>\n",
			".env":               "DATABASE_URL=postgresql://user:password@host:5432/db\n",
		}},
	{name: "astro-pg",
		create: [][]string{{"mkdir", "-p", "shop/src/pages", "shop/src/lib"}},
		files: map[string]string{
			"package.json":          `{"name":"shop","private":true,"type":"module","scripts":{"dev":"astro dev"},"dependencies":{"astro":"5","@astrojs/node":"9","pg":"8"}}`,
			"astro.config.mjs":      "import node from '@astrojs/node';\nimport { defineConfig } from 'astro/config';\n\nexport default defineConfig({ output: 'server', adapter: node({ mode: 'standalone' }) });\n",
			"src/lib/db.ts":         "import pg from 'pg';\n\nexport const pool = new pg.Pool({ connectionString: import.meta.env.DATABASE_URL, max: 5 });\n",
			"src/pages/index.astro": "---\nimport { pool } from '../lib/db';\nconst { rows } = await pool.query('select 41 + 1 as n');\n---\n<p>the answer is {rows[0].n}</p>\n",
			".env":                  "DATABASE_URL=\"postgresql://user:password@host:5432/db\"\n",
		}},
	{name: "go-pgxpool", always: true, golang: true, files: map[string]string{"main.go": goService("context", "github.com/jackc/pgx/v5/pgxpool",
		"pool, err := pgxpool.New(context.Background(), os.Getenv(\"DATABASE_URL\"))", "pool.QueryRow(r.Context(), \"select 41 + 1\").Scan(&n)"), ".env": "DATABASE_URL=postgres://user:password@host:5432/db\n"}},
	{name: "go-database-sql", always: true, golang: true, files: map[string]string{"main.go": goService("database/sql", "_ github.com/jackc/pgx/v5/stdlib",
		"pool, err := sql.Open(\"pgx\", os.Getenv(\"DATABASE_URL\"))", "pool.QueryRowContext(r.Context(), \"select 41 + 1\").Scan(&n)"), ".env": "DATABASE_URL=postgres://user:password@host:5432/db\n"}},
}

// goService is a service with a pool of the driver's own, which reads .env as
// godotenv does.
func goService(standard, driver, open, query string) string {
	name, path, blank := strings.Cut(driver, " ")
	if !blank {
		name, path = "", driver
	}
	return fmt.Sprintf(`package main

import (
	%q
	"fmt"
	"log"
	"net/http"
	"os"

	%s %q
	"github.com/joho/godotenv"
)

func main() {
	_ = godotenv.Load()
	%s
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := %s; err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "the answer is", n)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
`, standard, name, path, open, query)
}

// make has the template made and installed; its .env is as it comes.
func (tpl template) make(t *testing.T) *app {
	t.Helper()
	above := t.TempDir()
	a := &app{t: t, root: filepath.Join(above, "shop"), port: pgtest.FreePort(t)}
	a.env = []string{fmt.Sprintf("DBTASKS_PORTS=%d", a.port), "PRISMA_SCHEMA_ENGINE_BINARY=" + self(t), "npm_config_update_notifier=false", "npm_config_yes=true",
		"NEXT_TELEMETRY_DISABLED=1", "ASTRO_TELEMETRY_DISABLED=1", "NUXT_TELEMETRY_DISABLED=1", "GOFLAGS=-mod=mod", "CI="}
	for _, c := range tpl.create {
		cmd := a.command(c...)
		cmd.Dir = above
		if out, err := cmd.CombinedOutput(); err != nil {
			npmtest.Unavailable(t, fmt.Sprintf("%s can't be made: %v: %v: %s", tpl.name, c, err, out))
		}
	}
	for name, text := range tpl.files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(a.root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		a.write(name, text)
	}
	install := [][]string{strings.Fields("npm install --no-audit --no-fund --ignore-scripts --prefer-offline --loglevel=error --legacy-peer-deps")}
	if tpl.golang {
		// The versions are this module's own: they are there already.
		sums, err := os.ReadFile("../go.sum")
		if err != nil {
			t.Fatal(err)
		}
		a.write("go.mod", "module example.com/shop\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/jackc/pgx/v5 "+required(t, "github.com/jackc/pgx/v5")+"\n\tgithub.com/joho/godotenv "+required(t, "github.com/joho/godotenv")+"\n)\n")
		a.write("go.sum", string(sums))
		install = [][]string{{"go", "build", "-o", filepath.Join(above, "service"), "."}}
	}
	for _, c := range append(install, tpl.after...) {
		if out, err := a.command(c...).CombinedOutput(); err != nil {
			npmtest.Unavailable(t, fmt.Sprintf("%s can't be installed: %v: %v: %s", tpl.name, c, err, out))
		}
	}
	return a
}

// required is the version of a module that go.mod asks for.
func required(t *testing.T, module string) string {
	t.Helper()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("go.mod does not require %s", module)
	}
	return string(m[1])
}

var databaseLine = regexp.MustCompile(`(?m)^DATABASE_URL=.*$`)

// setURL writes a line in place of that of .env, where it stands.
func (a *app) setURL(line string) {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.root, ".env"))
	if err != nil || !databaseLine.Match(text) {
		a.t.Fatalf(".env has no DATABASE_URL (%v): %s", err, text)
	}
	a.write(".env", string(databaseLine.ReplaceAllLiteral(text, []byte(line))))
}

// The line that db:test demands is one that the app lives with.
func TestTheLineThatIsDemandedIsOneThatTheTemplatesLiveWith(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs from npm")
	}
	asked := strings.Split(os.Getenv("DBTASKS_STACKS"), ",")
	for _, tpl := range templates {
		if !tpl.always && !slices.Contains(asked, "all") && !slices.Contains(asked, tpl.name) {
			continue
		}
		t.Run(tpl.name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 30})
			db := s.NewDatabase()
			a := tpl.make(t)
			a.setURL(`DATABASE_URL="` + db.URL() + `"`)
			o := a.run("db:test", "-json")
			var refused struct{ Next string }
			if err := json.Unmarshal([]byte(o.stdout), &refused); err != nil || o.code != 2 || !strings.HasPrefix(refused.Next, "DATABASE_URL=") {
				t.Fatalf("without a limit: %v, %s", err, o)
			}
			password, _, _ := strings.Cut(strings.SplitN(db.URL(), ":", 3)[2], "@")
			a.setURL(strings.Replace(refused.Next, "***", password, 1))
			if o := a.run("db:test"); o.code != 0 {
				t.Fatalf("with the line that was demanded, %s: %s", refused.Next, o)
			}
			said := filepath.Join(t.TempDir(), "said")
			output, err := os.Create(said)
			if err != nil {
				t.Fatal(err)
			}
			defer output.Close()
			start := a.command(binary(t), "dev:start")
			start.Stdout, start.Stderr = output, output
			if err := start.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = start.Process.Signal(syscall.SIGTERM); _ = start.Wait() })
			var page string
			deadline := time.Now().Add(3 * time.Minute)
			for !strings.Contains(page, "the answer is 42") {
				if time.Now().After(deadline) {
					text, _ := os.ReadFile(said)
					t.Fatalf("with %s the page says %q; the dev server: %s", refused.Next, page, text)
				}
				page = a.page()
				time.Sleep(50 * time.Millisecond)
			}
			if o := a.run("dev:stop"); o.code != 0 {
				t.Errorf("dev:stop: %s", o)
			}
		})
	}
}

// page is what the app answers, with its status where that is not 200.
func (a *app) page() string {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(fmt.Sprintf("http://localhost:%d/", a.port))
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode != http.StatusOK {
		return answer.Status + ": " + string(text[:min(len(text), 400)])
	}
	return string(text)
}
