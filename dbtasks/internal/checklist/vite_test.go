package checklist

import (
	"slices"
	"testing"
)

func TestVitesSettingsAreFoundInEveryUsualForm(t *testing.T) {
	t.Parallel()
	const settings = "server: { port: 3000, watch: { ignored: ['**/generated/**'] } }, optimizeDeps: { exclude: ['@prisma/client'] }, ssr: { external: ['@prisma/client'] }"
	const head = "import { defineConfig, mergeConfig } from 'vite';\nimport { shared } from 'elsewhere';\n"
	const place = "vite.config.ts:3 "
	unsure := []string{
		"5 cant_tell " + place + "optimizeDeps.exclude can't be followed", "5 cant_tell " + place + "server.port can't be followed", "5 cant_tell " + place + "ssr.external can't be followed",
		"5 cant_tell " + place + "whether the watcher ignores src/generated can't be told: server.watch.ignored can't be followed",
	}
	for name, c := range map[string]struct {
		code string
		want []string
	}{
		"plain":                 {"export default { " + settings + " };", nil},
		"defineConfig":          {"export default defineConfig({ " + settings + " });", nil},
		"satisfies":             {"export default { " + settings + " } satisfies UserConfig;", nil},
		"a function":            {"export default defineConfig(({ mode }) => ({ " + settings + " }));", nil},
		"a function of blocks":  {"export default defineConfig(async () => { const x = await y(); return { " + settings + " }; });", nil},
		"a variable":            {"const config: UserConfig = { " + settings + " };\nexport default config;", nil},
		"merged":                {"export default mergeConfig({ plugins: [] }, { " + settings + " });", nil},
		"spread":                {"const base = { " + settings + " };\nexport default { ...base, plugins: [] };", nil},
		"CommonJS":              {"module.exports = { " + settings + " };", nil},
		"spread from elsewhere": {"export default { ...shared };", unsure},
		"all of it elsewhere":   {"export default shared;", []string{"5 cant_tell vite.config.ts:1 these settings can't be followed"}},
		"not to be parsed":      {"export default { ;", []string{"5 cant_tell vite.config.ts:1 these settings can't be followed"}},
		"only in a comment": {"export default { /* " + settings + " */ };", []string{
			"5 wrong " + place + "Vite may bundle Prisma's client into the server's code: ssr.external does not name @prisma/client",
			"5 wrong " + place + "Vite may optimise Prisma's client: optimizeDeps.exclude does not name @prisma/client",
			"5 wrong " + place + "Vite watches src/generated: server.watch.ignored does not name it",
			"5 wrong " + place + "the dev server's port is Vite's own, 5173, not 3000: there is no server.port",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := inline(t, "-- package.json --\n{ \"devDependencies\": { \"vite\": \"8\" } }\n-- src/db.ts --\nimport { PrismaClient } from './generated/client';\nexport const prisma = new PrismaClient();\n-- vite.config.ts --\n"+head+c.code+"\n")
			got := findingsOf(r, 5)
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

func TestAPoolOfAnotherModuleThatPrismaTakesIsNoSecondClient(t *testing.T) {
	t.Parallel()
	r, _ := inline(t, "-- package.json --\n{}\n-- src/pool.ts --\nimport { Pool } from 'pg';\nexport const pool = new Pool({ max: 4 });\n-- src/db.ts --\nimport { PrismaClient } from '@prisma/client';\nimport { PrismaPg } from '@prisma/adapter-pg';\nimport { pool } from './pool';\nglobalThis.prisma ??= new PrismaClient({ adapter: new PrismaPg(pool) });\nexport const prisma = globalThis.prisma;\n")
	if got := slices.Concat(findingsOf(r, 1), findingsOf(r, 2)); len(got) > 0 || r.Clients[0].Limit != 4 {
		t.Errorf("%q, %+v", got, r.Clients)
	}
}
