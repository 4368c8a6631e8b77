package checklist

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

func TestTheInstalledPrismaSaysWhereTheLimitCounts(t *testing.T) {
	t.Parallel()
	const code = "-- src/db.ts --\nimport { PrismaClient } from '@prisma/client';\nglobalThis.prisma ??= new PrismaClient();\nexport const prisma = globalThis.prisma;\n"
	const range7 = "-- package.json --\n{ \"dependencies\": { \"@prisma/client\": \"^7.0.0\" } }\n"
	const six = "" // the URL counts
	const seven = "2 wrong src/db.ts:2 new PrismaClient() has no adapter: Prisma 7 takes its limit from the adapter's max, and none from the URL"
	const unknown = "2 cant_tell src/db.ts:2 the pool limit of new PrismaClient() can't be told: the installed version of Prisma can't be told: up to 6 the URL's connection_limit counts, from 7 on the adapter's max"
	for name, c := range map[string]struct{ files, want string }{
		"range":                      {range7, seven},
		"range of 5":                 {"-- package.json --\n{ \"devDependencies\": { \"@prisma/client\": \"~5.22.0\" } }\n", six},
		"installed before range":     {range7 + "-- node_modules/@prisma/client/package.json --\n{ \"version\": \"6.19.3\" }\n", six},
		"installed before lock file": {"-- package.json --\n{}\n-- node_modules/@prisma/client/package.json --\n{ \"version\": \"7.1.0\" }\n-- package-lock.json --\n{ \"packages\": { \"node_modules/@prisma/client\": { \"version\": \"6.0.0\" } } }\n", seven},
		"package-lock":               {range7 + "-- package-lock.json --\n{ \"packages\": { \"node_modules/@prisma/client\": { \"version\": \"6.0.0\" } } }\n", six},
		"pnpm-lock":                  {range7 + "-- pnpm-lock.yaml --\nlockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      '@prisma/client':\n        specifier: ^7.0.0\npackages:\n  '@prisma/client@6.4.1(prisma@6.4.1)':\n    resolution: {}\n", six},
		"yarn.lock":                  {range7 + "-- yarn.lock --\n\"@prisma/client@^7.0.0\":\n  version \"6.2.0\"\n", six},
		"yarn.lock of Berry":         {"-- package.json --\n{}\n-- yarn.lock --\n\"@prisma/client@npm:^7.0.0\":\n  version: 7.2.0\n  resolution: \"@prisma/client@npm:7.2.0\"\n", seven},
		"latest":                     {"-- package.json --\n{ \"dependencies\": { \"@prisma/client\": \"latest\" } }\n", unknown},
		"nothing":                    {"", unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, code+c.files)
			if got := strings.Join(findingsOf(r, 2), "\n"); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestALimitCountsOnlyWhereItsDriverLooks(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		`new Pool({ max: 3 })`: "3",
		`new Pool({ connectionString: 'postgres://x', ...{ max: 3 } })`: "3",
		`new Pool(options)`: "3",
		`new Pool({ ...options, connectionString: 'x' })`:                                         "3",
		`new Pool({ max: +(new URL(process.env.U!).searchParams.get('connection_limit') ?? 4) })`: "5",
		`new Pool({ max: LIMIT })`:                   "7",
		`new Pool({ max: Number(process.env.MAX) })`: "explicit",
		`new Pool({ max: 0 })`:                       "wrong",
		`new Pool({ max: undefined })`:               "wrong",
		`new Pool()`:                                 "wrong",
		`new Pool({ connectionString: 'postgres://x?connection_limit=5' })`: "wrong",
		`new Pool({ connectionLimit: 5, size: 5, connection_limit: 5 })`:    "wrong",
		`new Pool(readOptions())`:                                                                   "unknown",
		`new Pool({ ...readOptions() })`:                                                            "unknown",
		`new Client('postgres://x')`:                                                                "1",
		`postgres('postgres://x', { max: 3 })`:                                                      "3",
		`postgres({ host: 'x', max: 3 })`:                                                           "3",
		`postgres('postgres://x?max=3')`:                                                            "wrong",
		`postgres(env.DATABASE_URL)`:                                                                "wrong",
		`postgres(process.env.DATABASE_URL!)`:                                                       "wrong",
		`postgres('postgres://x', { idle_timeout: 3 })`:                                             "wrong",
		`drizzle({ connection: { connectionString: 'x', max: 3 } })`:                                "3",
		`drizzle('postgres://x')`:                                                                   "wrong",
		`new PrismaClient({ adapter: new PrismaPg({ connectionString: 'x', max: 3 }) })`:            "3",
		`new PrismaClient({ adapter: new PrismaPg(new Pool({ max: 3 })) })`:                         "3",
		`new PrismaClient({ adapter: new PrismaPg(new Pool({ })) })`:                                "wrong",
		`new PrismaClient({ adapter: new PrismaPg({ connectionString: 'x?connection_limit=3' }) })`: "wrong",
		`new PrismaClient({ adapter })`:                                                             "3",
		`new PrismaClient({ adapter: new PrismaNeon({ max: 3 }) })`:                                 "3",
		`new PrismaClient({ datasourceUrl: 'postgres://x?connection_limit=3' })`:                    "3",
		`new PrismaClient({ datasources: { db: { url: 'postgres://x' } } })`:                        "wrong",
		`new PrismaClient({ accelerateUrl: 'prisma://x' })`:                                         "unknown",
		`new PrismaClient({ log: ['warn'] })`:                                                       "5",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, "-- package.json --\n{ \"dependencies\": { \"@prisma/client\": \"6.1.0\" } }\n-- .env --\nDATABASE_URL=postgresql://a:b@localhost/c?connection_limit=5\n-- limits.ts --\nexport const LIMIT = 7;\n-- db.ts --\n"+
				"import { Pool, Client } from 'pg';\nimport postgres from 'postgres';\nimport { drizzle } from 'drizzle-orm/node-postgres';\nimport { PrismaClient } from '@prisma/client';\nimport { PrismaPg } from '@prisma/adapter-pg';\nimport { PrismaNeon } from '@prisma/adapter-neon';\nimport { LIMIT } from './limits';\nimport { env } from '$env/dynamic/private';\n"+
				"const options = { max: 3 };\nconst adapter = new PrismaPg(options);\nexport const db = globalThis.db ?? "+code+";\nglobalThis.db = db;\n")
			if len(r.Clients) != 1 {
				t.Fatalf("clients: %+v", r.Clients)
			}
			got := "explicit"
			if n := r.Clients[0].Limit; n > 0 {
				got = string(rune('0' + n))
			}
			for _, f := range r.Items[1].Findings {
				got = map[Verdict]string{Wrong: "wrong", CantTell: "unknown"}[f.Verdict]
			}
			if got != want {
				t.Errorf("%s, want %s: %q", got, want, findingsOf(r, 2))
			}
		})
	}
}

func TestWorkersTimesTheLimitIsSaidAndJudged(t *testing.T) {
	t.Parallel()
	const project = prisma6 + "globalThis.prisma ??= new PrismaClient();\nexport const prisma = globalThis.prisma;\n-- src/a.test.ts --\nimport { prisma } from './db';\ntest('a', () => prisma.user.count());\n"
	const open = "4 wrong src/a.test.ts:1 the client is not closed after the tests (1 file); "
	for name, c := range map[string]struct{ files, finding, summary string }{
		"the default fits":         {"", "", "not closed, but 4 workers of vitest x 5 connections = 20 fit the 97 slots of the server"},
		"too many":                 {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20 } };\n", open + "20 workers of vitest x 5 connections = 100", ""},
		"percent":                  {"-- vitest.config.ts --\nexport default { test: { maxWorkers: '1000%' } };\n", open + "40 workers of vitest x 5 connections = 200", ""},
		"forks":                    {"-- vite.config.ts --\nimport { defineConfig } from 'vitest/config';\nexport default defineConfig({ test: { poolOptions: { forks: { maxForks: 30 } } } });\n", open + "30 workers of vitest x 5 connections = 150", ""},
		"one at a time":            {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20, fileParallelism: false } };\n", "", "not closed, but 1 worker of vitest x 5 connections = 5 fit the 97 slots of the server"},
		"closed by a setup file":   {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20, setupFiles: 'src/setup.ts' } };\n-- src/setup.ts --\nimport { prisma } from './db';\nafterAll(() => prisma.$disconnect());\n", "", "the tests close the client; 20 workers of vitest x 5 connections = 100"},
		"closed by name":           {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20, setupFiles: ['./src/setup.ts'] } };\n-- src/setup.ts --\nimport { prisma } from './db';\nconst close = async () => { await prisma.$disconnect(); };\nafterAll(close);\n", "", "the tests close the client; 20 workers of vitest x 5 connections = 100"},
		"a setup file nobody uses": {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20 } };\n-- src/setup.ts --\nimport { prisma } from './db';\nafterAll(() => prisma.$disconnect());\n", open + "20 workers of vitest x 5 connections = 100", ""},
		"closed in the test only":  {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20 } };\n-- src/b.test.ts --\nimport { prisma } from './db';\nafterAll(() => prisma.$disconnect());\n", open + "20 workers of vitest x 5 connections = 100", ""},
		"connected, not closed":    {"-- vitest.config.ts --\nexport default { test: { maxWorkers: 20, setupFiles: 'src/setup.ts' } };\n-- src/setup.ts --\nimport { prisma } from './db';\nbeforeAll(() => prisma.$connect()); prisma.$disconnect();\n", open + "20 workers of vitest x 5 connections = 100", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, project+c.files)
			if got := strings.Join(findingsOf(r, 4), "\n"); got != c.finding || r.Items[3].Summary != c.summary {
				t.Errorf("%q, %q\nwant %q, %q", got, r.Items[3].Summary, c.finding, c.summary)
			}
		})
	}
}

func TestScriptsThatKillByPortOrNameAreNamed(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"kill -9 $(lsof -ti:3000)":                   true,
		"lsof -ti:3000 | xargs kill -9":              true,
		"lsof -ti tcp:3000 | xargs -r kill":          true,
		"pkill node":                                 true,
		"sudo pkill -9 -f vite":                      true,
		"killall node || true":                       true,
		"npx kill-port 3000":                         true,
		"pnpm dlx kill-port 3000":                    true,
		"fuser -k 3000/tcp":                          true,
		"sh -c 'pkill -f \"next dev\"'":              true,
		"concurrently \"pkill node\" \"vite\"":       true,
		"taskkill /F /IM node.exe":                   true,
		"npm run build && kill -9 `pgrep node` && x": true,
		"echo pkill node":                            false,
		"echo 'kill -9 $(lsof -ti:3000)'":            false,
		"vite dev # pkill node":                      false,
		"kill -TERM $SERVER_PID":                     false,
		"pkill -f my-own-worker":                     false,
		"lsof -ti:3000":                              false,
		"node scripts/skill.js":                      false,
		"scripts/cleanup-db-connections.sh --force":  false,
	} {
		if got := kills(parseShell(line)) != ""; got != want {
			t.Errorf("%s: %t, want %t (%q)", line, got, want, kills(parseShell(line)))
		}
	}
}

func TestHostsThatLookLikeProductionAreNamedWithoutAnyPassword(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"postgresql://a:b@localhost:5432/c":                       "",
		"postgresql://a:b@127.0.0.1/c":                            "",
		"postgresql://a:b@[::1]:5432/c":                           "",
		"postgresql://a:b@192.168.1.20/c":                         "",
		"postgresql://a:b@db:5432/c":                              "",
		"postgresql://a:b@host.docker.internal/c":                 "",
		"postgresql:///c?host=/var/run/postgresql":                "",
		"postgresql://a:b@${HOST}/c":                              "",
		"https://example.com":                                     "",
		"postgresql://a:b@shop.abc.eu-west-1.rds.amazonaws.com/c": "shop.abc.eu-west-1.rds.amazonaws.com",
		"postgresql://a:b@ep-x.neon.tech/c":                       "ep-x.neon.tech",
		"postgresql://a:b@localhost,db.shop.dev:5432/c":           "db.shop.dev",
		"postgres://a:b@prod-db/c":                                "prod-db",
		"postgresql://a:b@8.8.8.8/c":                              "8.8.8.8",
		"postgresql://a:p@ss.w/rd.x@localhost/c":                  "",
		"postgresql://a:p?ss.w@product.example.com/c":             "product.example.com",
		"mysql://a:b@db.shop.dev/c":                               "db.shop.dev",
	} {
		if got := productionHost("ANY_URL", value); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	r, _ := inline(t, prisma6+"globalThis.prisma ??= new PrismaClient(); export const prisma = globalThis.prisma;\n-- .env.local --\nOTHER=postgresql://app:hunter2@db.shop.dev/x\nBAD=postgresql://app:hunter2/x.y@z.shop.dev/x\n")
	got := findingsOf(r, 7)
	want := []string{"7 wrong .env.local:1 OTHER names the host db.shop.dev, which looks like production", "7 wrong .env.local:2 BAD names the host z.shop.dev, which looks like production"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, f := range r.Items[6].Findings {
		if strings.Contains(f.Problem+f.Write, "hunter2") {
			t.Errorf("the password is shown: %+v", f)
		}
	}
}

func TestATrackedEnvFileIsNamedWithTheCommandThatUntracksIt(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, ".env", "DATABASE_URL=postgresql://a:b@localhost/c?connection_limit=5\n")
	write(t, root, ".env.example", "DATABASE_URL=\n")
	write(t, root, "package.json", "{}")
	git(t, root, "init", "-q")
	if got := findingsOf(checked(t, root), 7); len(got) > 0 {
		t.Errorf("not tracked: %q", got)
	}
	git(t, root, "add", "-f", ".")
	r := checked(t, root)
	if got, want := findingsOf(r, 7), []string{"7 wrong .env .env is tracked by git"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if got := r.Items[6].Findings[0].Write; got != "git rm --cached .env && echo .env >> .gitignore" {
		t.Error(got)
	}
}

func TestSettingsThatCanNotBeLoadedAreAFindingAndStopNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, ".env", "DATABASE_URL=\"postgresql://a:hunter2@localhost\"\nDBTASKS_PORTS=many\n")
	write(t, root, "package.json", `{"dependencies":{"next":"16.0.0"}}`)
	write(t, root, "db.ts", "import { Pool } from 'pg';\nexport const pool = new Pool({ max: 2 });\n")
	cfg, err := settings.Load(root, nil)
	if err == nil {
		t.Fatalf("loaded: %v", cfg)
	}
	r := checked(t, root)
	got := findings(r)
	if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "6 wrong .env:2 DBTASKS_PORTS is") }) || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "2 wrong db.ts:2") }) {
		t.Errorf("%q", got)
	}
	if strings.Contains(strings.Join(got, " "), "hunter2") {
		t.Errorf("the password is shown: %q", got)
	}
}

func TestAFileThatCanNotBeParsedIsSaidWhereItCouldMakeAClient(t *testing.T) {
	t.Parallel()
	r, _ := inline(t, prisma6+"globalThis.prisma ??= new PrismaClient(); export const prisma = globalThis.prisma;\n-- src/broken.ts --\nimport { Pool } from 'pg';\nexport const = new Pool(;\n")
	if got := findingsOf(r, 1); len(got) != 1 || !strings.HasPrefix(got[0], "1 cant_tell src/broken.ts:1 this file can't be parsed: line 2:") {
		t.Errorf("%q", got)
	}
}
