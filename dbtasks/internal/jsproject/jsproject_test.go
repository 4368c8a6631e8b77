package jsproject

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// project makes a folder out of files; one that ends in "/" is a folder.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if folder == path {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string) *Tree {
	t.Helper()
	tree, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestAPackageIsReadAsNpmReadsIt(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"package.json": "\ufeff{\n \"name\": \"shop\", \"type\": \"module\",\n \"scripts\": {\n  \"dev\": \"vite\",\n  \"build\": \"vite build\", \"bad\": 3\n },\n" +
		` "dependencies": {"pg": "^8"}, "devDependencies": {"vite": "^8", "pg": "^7"}, "peerDependencies": [], "devEngines": {"packageManager": {"name": "pnpm"}}, "prisma": {"seed": "tsx seed.ts"}}`})
	p, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "shop" || !p.Module || p.PackageManager != "pnpm" || p.String("prisma", "seed") != "tsx seed.ts" || p.String("scripts", "bad") != "" {
		t.Errorf("%+v", p)
	}
	if want := []string{"dev", "build"}; !slices.Equal(p.ScriptNames(), want) {
		t.Errorf("scripts %q, want %q in the order of the file", p.ScriptNames(), want)
	}
	if v, ok := p.Depends("pg"); v != "^8" || !ok {
		t.Errorf("pg %q", v)
	}
	if _, dev := p.Dev["pg"]; dev {
		t.Error("a package of both lists counts among devDependencies")
	}
	for line, keys := range map[int][]string{2: {"name"}, 3: {"scripts"}, 4: {"scripts", "dev"}, 5: {"scripts", "build"}, 7: {"dependencies", "pg"}, 0: {"scripts", "none"}} {
		if got := p.Line(keys...); got != line {
			t.Errorf("Line(%q) is %d, want %d", keys, got, line)
		}
	}
	for text, want := range map[string]error{"": ErrBadPackage, "[]": ErrBadPackage, `{"name": `: ErrBadPackage, "null": nil, `{"scripts": [], "dependencies": "x", "workspaces": 3}`: nil} {
		if _, err := Read(project(t, map[string]string{"package.json": text})); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, ErrNoPackage) {
		t.Errorf("%v", err)
	}
	if _, err := Read(project(t, map[string]string{"package.json/": ""})); !errors.Is(err, ErrBadPackage) {
		t.Errorf("a folder called package.json: %v", err)
	}
}

func TestAWorkspaceIsFoundFromItsMembersByWhatDeclaresIt(t *testing.T) {
	t.Parallel()
	const web, ui = `{"name": "web", "dependencies": {"@shop/db": "workspace:*"}}`, `{"name": "ui"}`
	for _, c := range []struct {
		name     string
		declares map[string]string
		from     string
		in       bool
	}{
		{"npm", map[string]string{"package.json": `{"workspaces": ["./apps/*", "packages/*"]}`}, "apps/web", true},
		{"yarn 1", map[string]string{"package.json": `{"workspaces": {"packages": ["apps/*/", "packages/**"]}}`}, "apps/web", true},
		{"braces", map[string]string{"package.json": `{"workspaces": ["{apps,packages}/*"]}`}, "apps/web", true},
		{"pnpm", map[string]string{"package.json": `{}`, "pnpm-workspace.yaml": "# ours\npackages:\n  - 'apps/**'\n  - packages/*\n  - '!**/test/**'\ncatalog:\n  pg: ^8\n"}, "apps/web", true},
		{"pnpm without package.json at the root", map[string]string{"pnpm-workspace.yaml": "packages: ['apps/*', 'packages/*']"}, "apps/web", true},
		{"pnpm's exception", map[string]string{"package.json": `{}`, "pnpm-workspace.yaml": "packages: ['apps/**', '!apps/web', 'packages/*']"}, "apps/web", false},
		{"lerna", map[string]string{"package.json": `{}`, "lerna.json": `{"packages": ["apps/*", "packages/*"]}`}, "apps/web", true},
		{"deno", map[string]string{"deno.json": `{"workspace": ["./apps/web", "packages/db"]}`}, "apps/web", true},
		{"nx without workspaces", map[string]string{"package.json": `{}`, "nx.json": `{}`, "apps/web/project.json": `{}`}, "apps/web", true},
		{"another folder", map[string]string{"package.json": `{"workspaces": ["packages/*"]}`}, "apps/web", false},
		{"nothing declared", map[string]string{"package.json": `{"name": "root"}`}, "apps/web", false},
		{"a YAML file that can't be read", map[string]string{"package.json": `{}`, "pnpm-workspace.yaml": "packages: [\x00"}, "apps/web", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.declares["apps/web/package.json"], c.declares["packages/ui/package.json"] = web, ui
			c.declares["packages/db/package.json"] = `{"name": "@shop/db", "dependencies": {"drizzle-orm": "1", "postgres": "3"}}`
			c.declares["packages/db/node_modules/x/package.json"] = `{"name": "x"}`
			root := project(t, c.declares)
			tree := open(t, filepath.Join(root, c.from))
			if want := map[bool]string{true: root, false: filepath.Join(root, c.from)}[c.in]; tree.Root != want {
				t.Fatalf("root is %s, want %s", tree.Root, want)
			}
			if !c.in || c.name == "nx without workspaces" {
				return
			}
			var reached []string
			for _, p := range tree.Reached() {
				reached = append(reached, p.Name)
			}
			if !slices.Equal(reached, []string{"web", "@shop/db"}) {
				t.Errorf("reached %q", reached)
			}
			if form := BestForm(tree.Drivers()); form != Options {
				t.Errorf("postgres.js in a package of the workspace: %s", form)
			}
		})
	}
}

func TestAWorkspaceEndsAtItsGitRepository(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{"package.json": `{"workspaces": ["**"]}`, "clone/.git/HEAD": "", "clone/package.json": `{"name": "clone"}`, "own/package.json": `{"name": "own"}`})
	if got := WorkspaceRoot(filepath.Join(root, "clone")); got != filepath.Join(root, "clone") {
		t.Errorf("the clone's root is %s", got)
	}
	if got := WorkspaceRoot(filepath.Join(root, "own")); got != root {
		t.Errorf("the member's root is %s", got)
	}
}

func TestTheVersionIsTheInstalledOneThenTheLockedOneThenTheRange(t *testing.T) {
	t.Parallel()
	const name = "@prisma/client"
	asks := `{"dependencies": {"@prisma/client": "^5.1.0"}}`
	for want, files := range map[int]map[string]string{
		5: {},
		6: {"node_modules/@prisma/client/package.json": `{"version": "6.2.0"}`, "package-lock.json": `{"packages": {"node_modules/@prisma/client": {"version": "7.0.0"}}}`},
		7: {"package-lock.json": `{"packages": {"node_modules/@prisma/client": {"version": "7.0.0"}}}`},
		8: {"pnpm-lock.yaml": "packages:\n\n  '@prisma/client@8.1.0(prisma@8.1.0)':\n    resolution: {}\n"},
		9: {"yarn.lock": "\"@prisma/client-engine@^1\":\n  version \"1.0.0\"\n\n\"@prisma/client@^9.0.0\":\n  version \"9.1.0\"\n"},
		4: {"bun.lock": "{\n  \"packages\": {\n    \"@prisma/client\": [\"@prisma/client@4.0.1\", \"\", {}],\n"},
	} {
		files["package.json"] = asks
		if got := open(t, project(t, files)).Major(name); got != want {
			t.Errorf("%v: %d, want %d", files, got, want)
		}
	}
	for version, want := range map[string]int{"latest": 0, "workspace:*": 0, "^16.0.1": 16, "npm:pg@8.2.1": 8, ">=7 <9": 7, "github:a/b2#v3": 0, "catalog:": 0, "": 0, "v10": 10} {
		if got := MajorOf(version); got != want {
			t.Errorf("MajorOf(%q) is %d, want %d", version, got, want)
		}
	}
}

func TestTheFrameworkIsToldByItsPackageAndABundlerByTheDevScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pkg, want string
		dev       []string // files of development, the first that wins first
	}{
		{`{"devDependencies": {"@sveltejs/kit": "^2", "vite": "^8"}}`, SvelteKit, []string{".env.development.local", ".env.development", ".env.local", ".env"}},
		{`{"dependencies": {"next": "16"}, "devDependencies": {"vite": "1", "vitest": "4"}}`, Next, []string{".env.development.local", ".env.local", ".env.development", ".env"}},
		{`{"dependencies": {"nuxt": "4"}}`, Nuxt, []string{".env"}},
		{`{"dependencies": {"astro": "5"}}`, Astro, nil},
		{`{"dependencies": {"@tanstack/react-start": "1"}, "devDependencies": {"vite": "8"}}`, "TanStack Start", nil},
		{`{"dependencies": {"@solidjs/start": "1"}}`, "SolidStart", nil},
		{`{"devDependencies": {"@react-router/dev": "7", "vite": "8"}}`, "React Router", nil},
		{`{"devDependencies": {"@remix-run/dev": "2", "vite": "5"}}`, "Remix", nil},
		{`{"devDependencies": {"@redwoodjs/core": "8"}}`, "RedwoodJS", nil},
		{`{"dependencies": {"@nestjs/core": "11", "express": "5"}}`, NestName, []string{".env"}},
		{`{"scripts": {"dev": "vite"}, "dependencies": {"express": "5"}, "devDependencies": {"vite": "8"}}`, Vite, nil},
		{`{"scripts": {"dev": "tsx watch server.ts"}, "dependencies": {"express": "5"}, "devDependencies": {"vite": "8"}}`, ServerName, nil},
		{`{"scripts": {"dev": "node_modules/.bin/nodemon ."}, "dependencies": {"fastify": "5"}}`, ServerName, nil},
		{`{"dependencies": {"hono": "4"}, "devDependencies": {"@types/bun": "1"}, "scripts": {"dev": "bun run --hot src/index.ts"}}`, BunName, nil},
		{`{"dependencies": {"pg": "8"}}`, PlainName, []string{".env.local", ".env"}},
	} {
		f, ok := open(t, project(t, map[string]string{"package.json": c.pkg})).Framework()
		if f.Name != c.want || ok != (c.want != PlainName) {
			t.Errorf("%s: %s, %v", c.pkg, f.Name, ok)
		}
		if got := f.EnvFiles("development"); c.dev != nil && !slices.Equal(got, c.dev) {
			t.Errorf("%s: %q", c.pkg, got)
		}
	}
	kit := func(version string) string {
		f, _ := open(t, project(t, map[string]string{"package.json": `{"devDependencies": {"@sveltejs/kit": "` + version + `"}}`})).Framework()
		return f.Alias
	}
	if kit("^2.7.0") != "$lib" || kit("^3.2.0") != "#lib" {
		t.Errorf("$lib of SvelteKit 2 and 3: %q, %q", kit("^2.7.0"), kit("^3.2.0"))
	}
}

func TestEveryRowOfTheTableIsWhole(t *testing.T) {
	t.Parallel()
	for _, f := range frameworks {
		if f.Name == "" || len(f.Packages) == 0 || len(f.Dev) == 0 || f.EnvFiles == nil || len(f.Client) == 0 {
			t.Errorf("%+v", f)
		}
		for _, mode := range []string{"development", "test"} {
			if files := f.EnvFiles(mode); len(files) == 0 || !slices.Contains(files, ".env") {
				t.Errorf("%s in %s: %q", f.Name, mode, files)
			}
		}
		if f.PortVariable == "" && f.PortFlags == nil && f.Port > 0 && f.Name != "RedwoodJS" {
			t.Errorf("%s: no way to give it a port", f.Name)
		}
	}
	for _, d := range append(slices.Clone(drivers), goDrivers...) {
		if d.Wire == AnyWire && len(d.Over) == 0 {
			t.Errorf("%s stands on nothing", d.Name)
		}
		for _, over := range d.Over {
			if !slices.ContainsFunc(append(slices.Clone(drivers), goDrivers...), func(o Driver) bool { return o.Package == over }) {
				t.Errorf("%s stands on %s, which has no row", d.Name, over)
			}
		}
	}
}

func TestTheFormOfTheLimitIsOneThatEveryDriverOfTheProjectSurvives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pkg     string
		drivers []string
		form    Form
	}{
		{`{"dependencies": {"pg": "8"}}`, []string{NodePostgres}, ConnectionLimit},
		{`{"dependencies": {"postgres": "3", "drizzle-orm": "1"}}`, []string{PostgresJS, "Drizzle"}, Options},
		{`{"dependencies": {"pg": "8", "drizzle-orm": "1"}}`, []string{NodePostgres, "Drizzle"}, ConnectionLimit},
		{`{"dependencies": {"@prisma/client": "^6.1.0"}}`, []string{"Prisma"}, ConnectionLimit},
		{`{"dependencies": {"@prisma/client": "^7.1.0", "@prisma/adapter-pg": "7"}}`, []string{"Prisma", "Prisma's adapter for node-postgres"}, ConnectionLimit},
		{`{"dependencies": {"@prisma/client": "6", "postgres": "3"}}`, []string{PostgresJS, "Prisma"}, Options},
		{`{"dependencies": {"knex": "3", "pg": "8", "objection": "3"}}`, []string{NodePostgres, "Knex", "Objection"}, ConnectionLimit},
		{`{"dependencies": {"@neondatabase/serverless": "1", "drizzle-orm": "1"}}`, []string{"Drizzle", Neon}, ConnectionLimit},
		{`{"dependencies": {"@vercel/postgres": "0.10"}}`, []string{"@vercel/postgres"}, ConnectionLimit},
		{`{"devDependencies": {"@types/bun": "1"}, "dependencies": {"drizzle-orm": "1"}}`, []string{"Drizzle", BunSQL}, Options},
		{`{"devDependencies": {"@types/bun": "1"}, "dependencies": {"pg": "8"}}`, []string{NodePostgres}, ConnectionLimit},
		{`{"dependencies": {"@supabase/supabase-js": "2"}}`, []string{"supabase-js"}, Options},
		{`{"dependencies": {"drizzle-orm": "1"}}`, []string{"Drizzle"}, Options},
		{`{}`, nil, Options},
	} {
		list := open(t, project(t, map[string]string{"package.json": c.pkg})).Drivers()
		var names []string
		for _, d := range list {
			names = append(names, d.Name)
		}
		if !reflect.DeepEqual(names, c.drivers) || BestForm(list) != c.form {
			t.Errorf("%s: %q, %s; want %q, %s", c.pkg, names, BestForm(list), c.drivers, c.form)
		}
	}
	dev := open(t, project(t, map[string]string{"package.json": `{"dependencies": {"pg": "8"}, "devDependencies": {"postgres": "3"}}`})).Drivers()
	if len(Refusing(dev, ConnectionLimit)) != 1 || len(Refusing(Running(dev), ConnectionLimit)) != 0 {
		t.Errorf("%+v", dev)
	}
}

func TestGoDriversAreToldByImportsNotByWhatGoModBringsAlong(t *testing.T) {
	t.Parallel()
	const mod = "module shop\n\ngo 1.26\n\nrequire (\n\tgithub.com/jackc/pgx/v5 v5.9.0\n\tgithub.com/lib/pq v1.12.0\n)\n"
	for _, c := range []struct {
		files map[string]string
		want  []string
		form  Form
	}{
		{map[string]string{"main.go": "package main\n\nimport _ \"github.com/jackc/pgx/v5/pgxpool\"\n"}, []string{PGXPool}, PoolMaxConns},
		{map[string]string{"main.go": "package main\n\nimport (\n\t_ \"github.com/jackc/pgx/v5/pgxpool\"\n\t_ \"github.com/jackc/pgx/v5\"\n)\n"}, []string{PGXPool}, PoolMaxConns},
		{map[string]string{"main.go": "package main\n\nimport (\n\t\"context\"\n\t\"github.com/jackc/pgx/v5\"\n)\n\nfunc f() { pgx.Connect(context.Background(), \"\") }\n"}, []string{PGX}, Options},
		{map[string]string{"db/db.go": "package db\n\nimport _ \"github.com/lib/pq\"\n"}, []string{LibPQ}, Options},
		{map[string]string{"db.go": "package db\n\nimport _ \"github.com/jackc/pgx/v5/stdlib\"\n", "x_test.go": "package db\n\nimport _ \"github.com/lib/pq\"\n"}, []string{PGXStdlib}, Options},
		{map[string]string{"magefiles/magefile.go": "package main\n\nimport _ \"github.com/lib/pq\"\n", "m.go": "//go:build mage\n\npackage main\n\nimport _ \"github.com/lib/pq\"\n"}, nil, Options},
		{map[string]string{"tools/go.mod": "module tools\n", "tools/t.go": "package t\n\nimport _ \"github.com/lib/pq\"\n"}, nil, Options},
	} {
		c.files["go.mod"] = mod
		list := GoDrivers(project(t, c.files))
		var names []string
		for _, d := range list {
			names = append(names, d.Name)
		}
		if !reflect.DeepEqual(names, c.want) || BestForm(list) != c.form {
			t.Errorf("%v: %q, %s; want %q, %s", c.files, names, BestForm(list), c.want, c.form)
		}
	}
	if list := GoDrivers(project(t, map[string]string{"main.go": "package main\n\nimport _ \"github.com/lib/pq\"\n"})); list != nil {
		t.Errorf("without go.mod: %v", list)
	}
}
