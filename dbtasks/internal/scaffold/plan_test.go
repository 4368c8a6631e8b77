package scaffold

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

var kinds = []string{"sveltekit-prisma7", "vite-pg", "vite-pg-js", "next-prisma6", "next-pg", "leaking"}

// golden has the plan of each kind, and the JavaScript that it writes.
func TestEachKindOfProjectGetsThePlanThatIsRecorded(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			plan := planned(t, unpack(t, kind))
			var b strings.Builder
			b.WriteString(listing(plan))
			for _, s := range plan.Steps {
				ext := filepath.Ext(s.Path)
				if s.Action == Create && (ext == ".ts" || ext == ".js") || s.Path == ".env" && s.Action == Merge {
					b.WriteString("-- " + s.Path + " --\n" + string(s.after))
				}
			}
			got := strings.ReplaceAll(b.String(), source(t), "/home/me/pgrunbook")
			file := filepath.Join("testdata", kind+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
				t.Errorf("go test -update writes it anew:\n%s", unified(file, string(want), got))
			}
			if strings.Contains(listing(plan), "hunter2") {
				t.Error("the plan shows a password")
			}
		})
	}
}

func TestASecondRunHasNothingToWriteAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			root := unpack(t, kind)
			first := applied(t, root)
			before := files(t, root)
			second := applied(t, root)
			if second.Writes() > 0 || second.Differs() != first.Differs() {
				t.Errorf("the second plan:\n%s", listing(second))
			}
			if !maps.Equal(before, files(t, root)) {
				t.Error("the second run changed files")
			}
		})
	}
}

func TestNothingThatExistsLosesAByte(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			root := unpack(t, kind)
			before := files(t, root)
			applied(t, root)
			for path, text := range files(t, root) {
				rest := before[path]
				for i := 0; i < len(text) && rest != ""; i++ {
					if text[i] == rest[0] {
						rest = rest[1:]
					}
				}
				if rest != "" {
					t.Errorf("%s lost %q", path, rest)
				}
			}
		})
	}
}

func TestTheDifferencesAreAPatchThatMakesTheProjectWhole(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	root := unpack(t, "leaking")
	var patch strings.Builder
	for _, s := range applied(t, root).Steps {
		if s.Action == Differs && strings.HasPrefix(s.Show, "--- ") {
			patch.WriteString(s.Show)
		}
	}
	cmd := exec.Command("git", "apply", "-")
	cmd.Dir, cmd.Stdin = root, strings.NewReader(patch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, patch.String())
	}
	plan := planned(t, root)
	step(t, plan, "src/lib/prisma.ts", Keep)
}

func TestWhatCantBePlannedSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	const vite = `{"devDependencies":{"vite":"8"},"dependencies":{"@prisma/client":"7"}}`
	for _, c := range []struct {
		what  string
		files map[string]string
		kind  error
		says  string
	}{
		{"no package.json", nil, ErrNoProject, "no package.json"},
		{"broken package.json", map[string]string{"package.json": "{"}, ErrFile, "package.json can't be read"},
		{"no driver", map[string]string{"package.json": `{"dependencies":{"vite":"8"}}`}, ErrDriver, "no driver of PostgreSQL"},
		{"no version", map[string]string{"package.json": `{"dependencies":{"vite":"8","@prisma/client":"latest"}}`}, ErrDriver, "major version"},
		{"no schema", map[string]string{"package.json": vite}, ErrSchema, "no schema.prisma"},
		{"another database", map[string]string{"package.json": vite, "prisma/schema.prisma": "datasource db {\n  provider = \"sqlite\"\n}\n"}, ErrSchema, "sqlite"},
		{"no output", map[string]string{"package.json": vite, "schema.prisma": "generator c {\n  provider = \"prisma-client\"\n}\n"}, ErrSchema, "without output"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			_, err := tryPlan(project(t, c.files))
			if p := problem(t, err, c.kind); !strings.Contains(p.Message, c.says) {
				t.Errorf("%q does not say %q", p.Message, c.says)
			}
		})
	}
}

func TestNoDifferenceTakesAwayWhatIsTheUsersOwn(t *testing.T) {
	t.Parallel()
	const server = "import { Pool } from 'pg';\nconst pool = new Pool();\nexport const one = () => pool.query('1');\nexport const two = () => pool.query('2');\n"
	root := unpack(t, "vite-pg")
	own := map[string]string{
		"src/server.ts":           server,
		"src/lib/db.ts":           "export const answer = 42;\n",
		"scripts/recover.sh":      "#!/bin/sh\necho recover my files\n",
		"magefiles/magefile.go":   "//go:build mage\n\npackage main\n\nfunc Build() {}\n",
		"magefiles/go.mod":        "module example.com/mine\n",
		"magefiles/go.sum":        "",
		"vite.config.ts":          "export default make()\n",
		"scripts/run-target.sh":   "#!/bin/sh\n\n\n\nexec my-own \"$@\"\n",
		"magefiles/other/main.go": "package other\n",
	}
	for path, text := range own {
		put(t, root, path, text)
	}
	plan := applied(t, root)
	for _, s := range plan.Steps {
		if _, mine := own[s.Path]; mine && (s.Writes() || s.IsPatch()) {
			t.Errorf("%s %s:\n%s", s.Action, s.Path, s.Show)
		}
	}
	if got := step(t, plan, "src/server.ts", Differs).Show; got != "import { pool } from './lib/db-client';\n" {
		t.Errorf("import instead: %q", got)
	}
	step(t, plan, "src/lib/db-client.ts", Create)
	if got := step(t, plan, "magefiles/magefile.go", Differs).Show; !strings.Contains(got, "//mage:import\n") {
		t.Errorf("to add: %q", got)
	}
	if second := planned(t, root); second.Writes() > 0 {
		t.Errorf("a second run would write:\n%s", listing(second))
	}
}

func TestAClientModuleKeepsTheNameThatOthersImport(t *testing.T) {
	t.Parallel()
	for module, want := range map[string][]string{
		"export const db = new Pool();":                                   {"+export const db = kept.pool ?? makePool();"},
		"export let database: Pool = new Pool();":                         {"+export const database = "},
		"const sql = new Pool();\nexport { sql };":                        {"+export const sql = "},
		"const sql = new Pool();\nexport default sql;":                    {"+export const sql = ", " export default sql;"},
		"export default new Pool();":                                      {"+export const pool = ", "+export default pool;"},
		"// export const db\nconst a = '';\nmodule.exports = new Pool();": {"+export const pool = "},
	} {
		root := unpack(t, "vite-pg")
		put(t, root, "src/db.ts", "import { Pool } from 'pg';\n"+module+"\n")
		got := step(t, planned(t, root), "src/db.ts", Differs).Show
		for _, line := range want {
			if !strings.Contains(got, "\n"+line) {
				t.Errorf("%q: no %q in\n%s", module, line, got)
			}
		}
	}
}

func TestTheInstalledPrismaCountsBeforeTheRangeOfPackageJSON(t *testing.T) {
	t.Parallel()
	root := unpack(t, "next-prisma6")
	put(t, root, "node_modules/@prisma/client/package.json", `{"version":"7.10.1"}`)
	plan := planned(t, root)
	if plan.Project.Major != 7 || !strings.Contains(string(step(t, plan, "src/lib/db.ts", Create).after), "PrismaPg") {
		t.Errorf("major %d\n%s", plan.Project.Major, listing(plan))
	}
	if !strings.Contains(plan.Project.Add(plan.Install...), "npm install @prisma/adapter-pg") {
		t.Errorf("to install: %q", plan.Install)
	}
}

func TestTheSourceIsAskedForOnlyWhereItHasToBeWritten(t *testing.T) {
	t.Parallel()
	unknown := &ProjectError{ErrSource, "it can't be told; nothing was touched", "name it"}
	plan := func(root string) error {
		p, err := Read(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := settings.Load(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(p, cfg, Options{Source: func() (string, error) { return "", unknown }})
		return err
	}
	root := unpack(t, "vite-pg")
	problem(t, plan(root), ErrSource)
	applied(t, root)
	if err := plan(root); err != nil {
		t.Error(err)
	}
}

func TestTheSourceIsToldFromWhereTheProgramLies(t *testing.T) {
	t.Parallel()
	clone := project(t, map[string]string{"go.mod": "module github.com/pgrunbook/pgrunbook\n", "bin/dbtasks": "", "other/go.mod": "module example.com/other\n"})
	real, err := filepath.EvalSymlinks(clone)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := FindSource("", filepath.Join(clone, "bin", "dbtasks")); err != nil || got != real {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := FindSource(clone, ""); err != nil || got != clone {
		t.Errorf("configured: %q, %v", got, err)
	}
	_, err = FindSource(filepath.Join(clone, "other"), "")
	problem(t, err, ErrSource)
	if got, err := FindSource("", ""); err != nil || !isSource(got) {
		t.Errorf("compiled from: %q, %v", got, err)
	}
}

func TestACloneThatIsNotOnThisMachineIsNamedWithTheLineToWrite(t *testing.T) {
	t.Parallel()
	root := unpack(t, "vite-pg")
	put(t, root, "magefiles/go.mod", "module magefiles\n\nreplace (\n\tgithub.com/pgrunbook/pgrunbook => /home/another/clone\n)\n")
	s := step(t, planned(t, root), "magefiles/go.mod", Differs)
	if !strings.Contains(s.Why, "/home/another/clone") || s.Show != "replace github.com/pgrunbook/pgrunbook => "+source(t)+"\n" {
		t.Errorf("%s: %s", s.Why, s.Show)
	}
}

func TestAModuleOfOnesOwnThatImportsDbtasksStays(t *testing.T) {
	t.Parallel()
	root := unpack(t, "vite-pg")
	put(t, root, "magefiles/db.go", "//go:build mage\n\npackage main\n\nimport _ \"github.com/pgrunbook/pgrunbook/dbtasks\"\n")
	plan := applied(t, root)
	step(t, plan, "magefiles/db.go", Keep)
	if _, err := os.Stat(filepath.Join(root, "magefiles", "go.mod")); err == nil {
		t.Error("a second module was written")
	}
}

func TestAMagefileInTheRootGoesOnBeingRead(t *testing.T) {
	t.Parallel()
	root := unpack(t, "vite-pg")
	put(t, root, "go.mod", "module example.com/shop\n\ngo 1.26\n")
	put(t, root, "tasks.go", "//go:build mage\n\npackage main\n\nfunc Build() {}\n")
	plan := applied(t, root)
	if s := step(t, plan, "tasks.go", Differs); !strings.Contains(s.Show, "//mage:import\n") {
		t.Error(s.Show)
	}
	if _, err := os.Stat(filepath.Join(root, "magefiles")); err == nil {
		t.Error("a folder magefiles/ hides it")
	}
}

func TestSettingsOfViteAreAddedOnlyWhereThatIsCertain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, config string
		action       Action
		want         string // in the written text, or in what is shown
	}{
		{"a literal", "export default {\n\tplugins: []\n}\n", Merge, "export default {\n\tserver: { port: 3000"},
		{"on one line", "export default defineConfig({ plugins: [] })\n", Merge, "defineConfig({ server: { port: 3000"},
		{"empty", "export default defineConfig({})\n", Merge, "defineConfig({ server: { port: 3000"},
		{"Windows' line ends", "export default {\r\n  plugins: []\r\n}\r\n", Merge, "export default {\r\n  server: { port: 3000, watch: { ignored: ['**/pgdata/**'] } },\r\n"},
		{"a function", "export default defineConfig(({ mode }) => ({ plugins: [] }))\n", Merge, "=> ({ server: { port: 3000"},
		{"functions of others", "export default defineConfig(others({ plugins: [] }))\n", Differs, "server: { port: 3000"},
		{"two that are merged", "export default mergeConfig({ plugins: [] }, {})\n", Differs, "server: { port: 3000"},
		{"one of two", "export default process.env.CI ? { plugins: [] } : {}\n", Differs, "server: { port: 3000"},
		{"a computed key", "export default { [key]: {} }\n", Differs, "server: { port: 3000"},
		{"a byte-order mark, and letters beyond ASCII", "\ufeff/* ä 😀 */ export default /* 😀 { */ { plugins: ['ä'] }\n", Merge, "\ufeff/* ä 😀 */ export default /* 😀 { */ { server: { port: 3000"},
		{"types", "import type { UserConfig } from 'vite'\nexport default { plugins: [] } satisfies UserConfig\n", Merge, "export default { server: { port: 3000"},
		{"CommonJS", "module.exports = { plugins: [] }\n", Merge, "module.exports = { server: { port: 3000"},
		{"spread", "export default defineConfig({ ...base, plugins: [] })\n", Differs, "server: { port: 3000"},
		{"a variable", "const config = { plugins: [] }\nexport default config\n", Merge, "const config = { server: { port: 3000"},
		{"only in a comment", "// export default {\nexport default make()\n", Differs, "server: { port: 3000"},
		{"a server of its own", "export default { server: { open: true } }\n", Differs, "server: { port: 3000"},
		{"all of it", "export default { server: { port: 4000, watch: { ignored: [] } }, ssr: { external: ['pg'] }, 'optimizeDeps': { exclude: ['pg'] } }\n", Keep, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			root := unpack(t, "vite-pg")
			put(t, root, "vite.config.ts", c.config)
			s := step(t, planned(t, root), "vite.config.ts", c.action)
			if got := string(s.after) + s.Show; !strings.Contains(got, c.want) {
				t.Errorf("%q does not have %q", got, c.want)
			}
		})
	}
}

func TestGitignorePatternsAreReadAsGitReadsThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, file string
		want       bool
	}{
		{".env\n", ".env", true},
		{"/.env", ".env", true},
		{"**/.env", ".env", true},
		{".env*\n", ".env.example", true},
		{".env.*\n!.env.example\n", ".env.example", false},
		{".env\r\n", ".env", true},
		{"# .env\n", ".env", false},
		{".env.local\n", ".env", false},
		{".env/\n", ".env", false},
		{"/bin/\n", "bin/dbtasks", true},
		{"bin\n", "bin/dbtasks", true},
		{"/bin/dbtasks\n", "bin/dbtasks", true},
		{"cabin/\n", "bin/dbtasks", false},
	} {
		if got := ignores(c.text, c.file); got != c.want {
			t.Errorf("%q ignores %s: %v", c.text, c.file, got)
		}
	}
}

func TestTheExampleSettingsAreThisRepositorysOwn(t *testing.T) {
	want, err := os.ReadFile("../../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("templates/env.example")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("templates/env.example differs from .env.example: %v", err)
	}
}

// Where dev:init writes no client module, all else is put in, and the limit in
// the form of the project's own driver.
func TestOtherFrameworksAndDriversGetAllButTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, dependencies, limit string }{
		{"Express with node-postgres", `"express":"5","pg":"8"`, "connection_limit=5"},
		{"SvelteKit with drizzle over postgres.js", `"@sveltejs/kit":"2","vite":"8","drizzle-orm":"0.45","postgres":"3"`, "options=-c%20dbtasks.pool_limit%3D5"},
		{"Nest with TypeORM", `"@nestjs/core":"11","typeorm":"0.3","pg":"8"`, "connection_limit=5"},
		{"Nuxt with postgres.js", `"nuxt":"4","postgres":"3"`, "options=-c%20dbtasks.pool_limit%3D5"},
		{"Astro with node-postgres", `"astro":"5","pg":"8"`, "connection_limit=5"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			root := project(t, map[string]string{"package.json": `{"name":"shop","scripts":{"dev":"x"},"dependencies":{` + c.dependencies + `}}`, ".env": "DATABASE_URL=postgresql://app:secret@localhost:5432/shop\n"})
			plan := planned(t, root)
			for _, s := range plan.Steps {
				if strings.Contains(s.Path, "vite") || strings.Contains(s.Path, "db.") && s.Path != "scripts/cleanup-db-connections.sh" {
					t.Errorf("%s: %s", s.Action, s.Path)
				}
			}
			step(t, plan, "magefiles/magefile.go", Create)
			step(t, plan, "package.json", Merge)
			if got := string(step(t, plan, ".env", Merge).after); !strings.Contains(got, c.limit) {
				t.Errorf(".env becomes %s", got)
			}
		})
	}
}
