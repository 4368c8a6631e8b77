package settings

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// origins are where DATABASE_URL comes from in projects of many kinds; "": it
// is not set.
func TestDatabaseURLComesFromWhereTheFrameworkReadsIt(t *testing.T) {
	t.Parallel()
	all := func(names ...string) map[string]string {
		files := map[string]string{}
		for _, name := range names {
			files[name] = "DATABASE_URL=postgresql://from-" + strings.ReplaceAll(strings.Trim(name, "."), "/", "-") + "/d?connection_limit=1\n"
		}
		return files
	}
	every := []string{".env", ".env.local", ".env.development", ".env.development.local", ".env.test", ".env.test.local"}
	const kit, next, nuxt = `{"devDependencies": {"@sveltejs/kit": "2", "vite": "8"}}`, `{"dependencies": {"next": "16"}}`, `{"dependencies": {"nuxt": "4"}}`
	for _, c := range []struct {
		what, pkg string
		files     []string
		dev, test string
	}{
		{"Next.js", next, every, ".env.development.local", ".env.test.local"},
		{"Next.js without the local ones", next, []string{".env", ".env.development", ".env.test", ".env.local"}, ".env.local", ".env.test"},
		{"Vite", kit, every, ".env.development.local", ".env.test.local"},
		{"Vite: a mode's file before .env.local", kit, []string{".env", ".env.development", ".env.test", ".env.local"}, ".env.development", ".env.test"},
		{"Vite with a mode", `{"scripts": {"dev": "vite dev --mode staging"}, "devDependencies": {"vite": "8"}}`, []string{".env", ".env.development", ".env.staging"}, ".env.staging", ".env"},
		{"Nuxt", nuxt, every, ".env", ".env"},
		{"Nuxt with a file", `{"scripts": {"dev": "nuxt dev --dotenv .env.development"}, "dependencies": {"nuxt": "4"}}`, every, ".env.development", ".env"},
		{"NestJS", `{"dependencies": {"@nestjs/core": "11"}}`, every, ".env", ".env"},
		{"node --env-file", `{"scripts": {"dev": "node --env-file=.env.development --watch server.js"}, "dependencies": {"express": "5"}}`, every, ".env.development", ".env"},
		{"dotenv-cli", `{"scripts": {"dev": "dotenv -e .env.test -- next dev"}, "dependencies": {"next": "16"}}`, every, ".env.test", ".env.test.local"},
		{"nothing known", `{}`, every, ".env.local", ".env.local"},
		{"Prisma 6 beside its schema", `{"dependencies": {"@prisma/client": "^6.1.0", "next": "16"}}`, []string{"prisma/.env"}, "prisma/.env", "prisma/.env"},
		{"Prisma 7 does not", `{"dependencies": {"@prisma/client": "^7.1.0", "next": "16"}}`, []string{"prisma/.env"}, "", ""},
		{"Next.js reads no .env.production", next, []string{".env.production"}, "", ""},
	} {
		files := all(c.files...)
		files["package.json"] = c.pkg
		dir := project(t, files)
		for mode, want := range map[string]string{"development": c.dev, "test": c.test} {
			cfg, err := loadMode(dir, nil, mode, Defaults{})
			if err != nil {
				t.Fatal(err)
			}
			if want != "" {
				want = filepath.Join(dir, filepath.FromSlash(want))
			}
			if got := cfg.Origin(DatabaseURL).File; got != want {
				t.Errorf("%s, %s: from %q, want %q", c.what, mode, got, want)
			}
		}
	}
}

func TestInAMonorepoThePackageWinsOverTheRootAndTheRootIsNamed(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{
		"package.json": `{"workspaces": ["apps/*"]}`, ".env": "DATABASE_URL=postgresql://root/d?connection_limit=1\nX=root\n",
		"apps/web/package.json": `{"dependencies": {"next": "16"}}`, "apps/web/.env.local": "X=web\n",
		"apps/api/package.json": `{"dependencies": {"express": "5"}}`, "apps/api/.env": "DATABASE_URL=postgresql://api/d?connection_limit=1\n",
	})
	web, err := Load(filepath.Join(root, "apps", "web"), nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := web.Database()
	if err != nil || u.Hosts[0].Name != "root" || web.Top != root || u.Origin.File != filepath.Join(root, ".env") {
		t.Errorf("%v of %+v, %v", u, web, err)
	}
	if x, _ := web.lookup("X"); x != "web" {
		t.Errorf("X is %q", x)
	}
	if notes := web.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "monorepo's") {
		t.Errorf("notes %q", notes)
	}
	api, err := Load(filepath.Join(root, "apps", "api"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := api.Database(); err != nil || u.Hosts[0].Name != "api" {
		t.Errorf("%v, %v", u, err)
	}
	if notes := api.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "wins over") {
		t.Errorf("notes %q", notes)
	}
}

func TestPlacesThatDisagreeAboutTheDatabaseAreSaid(t *testing.T) {
	t.Parallel()
	const one, other = "postgresql://app:s3cret@h/one?connection_limit=1", "postgresql://app:s3cret@h/other?connection_limit=1"
	for _, c := range []struct {
		what  string
		files map[string]string
		env   []string
		says  []string
	}{
		{"the same in both", map[string]string{".env": "DATABASE_URL=" + one + "&x=1\n"}, []string{"DATABASE_URL=" + one}, nil},
		{"the shell's is another", map[string]string{".env": "DATABASE_URL=" + other + "\n"}, []string{"DATABASE_URL=" + one}, []string{"DATABASE_URL of the environment wins over", "line 1", "h:5432/one", "h:5432/other"}},
		{"two files", map[string]string{".env": "DATABASE_URL=" + other + "\n", ".env.local": "DATABASE_URL=" + one + "\n"}, nil, []string{".env.local, line 1 wins over", "h:5432/other"}},
		{"a value that is not used", map[string]string{".env": "DATABASE_URL=" + one + "&pool_timeout=soon\n"}, nil, []string{"pool_timeout"}},
		{"one that is no URL", map[string]string{".env": "DATABASE_URL=nonsense\n"}, []string{"DATABASE_URL=" + one}, nil},
	} {
		c.files["package.json"] = `{"dependencies": {"next": "16", "pg": "8"}}`
		cfg, err := Load(project(t, c.files), c.env)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(cfg.Notes(), "\n")
		if (said == "") != (c.says == nil) || strings.Contains(said, "s3cret") || slices.ContainsFunc(c.says, func(part string) bool { return !strings.Contains(said, part) }) {
			t.Errorf("%s: %q, want %q", c.what, said, c.says)
		}
	}
}

func TestAnOriginIsSaidWithVariableFileAndLine(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Origin{
		"not set": {}, "DATABASE_URL of the environment": {Variable: DatabaseURL},
		"DATABASE_URL of /p/.env, line 2": {Variable: DatabaseURL, File: "/p/.env", Line: 2}, "DATABASE_URL of /p/.env": {Variable: DatabaseURL, File: "/p/.env"},
	} {
		if got := o.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
