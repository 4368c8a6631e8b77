package devserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// project makes a project folder out of files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func script(dev string) string { return `{"name": "shop", "scripts": {"dev": ` + quoted(dev) + `}}` }

func quoted(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
}

func TestThePortFlagGoesWhereTheDevServerIsLast(t *testing.T) {
	t.Parallel()
	const vite, next = " -- --port 3000 --strictPort", " -- -p 3000"
	for _, c := range []struct{ script, flags, tool string }{
		{"vite", vite, "vite"},
		{"vite dev", vite, "vite"},
		{"vite serve --host", vite, "vite"},
		{"vite dev --open > dev.log 2>&1", vite, "vite"},
		{"NODE_ENV=development vite dev", vite, "vite"},
		{"cross-env A=1 B=2 vite dev", vite, "vite"},
		{"dotenv -e .env.local -- vite dev", vite, "vite"},
		{"dotenv -e .env -- cross-env A=1 npx vite", vite, "vite"},
		{"npx vite dev", vite, "vite"},
		{"npx --yes vite@latest dev", vite, "vite"},
		{"bunx --bun vite", vite, "vite"},
		{"pnpm exec vite dev", vite, "vite"},
		{"yarn vite", vite, "vite"},
		{"npm exec -- vite dev", vite, "vite"},
		{"./node_modules/.bin/vite dev", vite, "vite"},
		{"node --inspect --max-old-space-size=4096 node_modules/vite/bin/vite.js", vite, "vite"},
		{"node -r dotenv/config ./node_modules/vite/bin/vite.js dev", vite, "vite"},
		{"prisma generate && vite dev", vite, "vite"},
		{"next", next, "next"},
		{"next dev", next, "next"},
		{"next dev --turbo", next, "next"},
		{"node --inspect node_modules/next/dist/bin/next dev", next, "next"},
		{"astro dev", " -- --port 3000", "astro"},
		{"react-router dev --host", " -- --port 3000", "react-router"},
		{"remix vite:dev", " -- --port 3000", "remix"},
		{"nuxt dev", " -- --port 3000", "nuxt"},
		{"vinxi dev", " -- --port 3000", "vinxi"},
		// PORT alone from here on.
		{"astro build", "", ""},
		{"astro dev --port 4000", "", "astro"},
		{"nest start --watch", "", ""},
		{"vite dev --port 5173", "", "vite"},
		{"vite --port=$PORT", "", "vite"},
		{"next dev -p 4000", "", "next"},
		{"next dev --port 4000", "", "next"},
		{"npm exec vite dev", "", "vite"},
		{"vite build", "", ""},
		{"vite preview", "", ""},
		{"vite --mode staging build --watch", "", ""},
		{"vitest", "", ""},
		{"next start", "", ""},
		{"vite dev && echo over", "", ""},
		{"vite dev & tsc -w", "", ""},
		{"vite dev &", "", ""},
		{"vite dev | pino-pretty", "", ""},
		{"(vite dev)", "", ""},
		{"vite dev # the server", "", ""},
		{"vite dev --base $(base)", "", ""},
		{"concurrently 'vite dev' 'tsc -w'", "", ""},
		{"turbo run dev", "", ""},
		{"npm run dev:web", "", ""},
		{"node server.js", "", ""},
		{"node ./vite.js", "", ""},
		{"dotenv -e .env vite dev", "", ""},
		{"", "", ""},
	} {
		dir := project(t, map[string]string{"package.json": script(c.script), "package-lock.json": "{}"})
		cmd, err := Dev(dir, "", 3000, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := "npm run dev" + c.flags; cmd.Line != want || strings.Join(cmd.Args, " ") != want || cmd.Tool != c.tool || (cmd.PortNote == "") != (c.flags != "") {
			t.Errorf("%q: %+v, want %q", c.script, cmd, want)
		}
		if !slices.Contains(cmd.Env, "PORT=3000") || cmd.Dir != dir {
			t.Errorf("%q: %+v", c.script, cmd)
		}
	}
}

func TestEachPackageManagerPassesArgumentsInItsWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files map[string]string
		under string
		want  string
	}{
		{map[string]string{"package-lock.json": "{}"}, ".", "npm run dev -- --port 3000 --strictPort"},
		{map[string]string{"pnpm-lock.yaml": ""}, ".", "pnpm run dev --port 3000 --strictPort"},
		{map[string]string{"yarn.lock": ""}, ".", "yarn run dev --port 3000 --strictPort"},
		{map[string]string{"bun.lock": ""}, ".", "bun run dev --port 3000 --strictPort"},
		{map[string]string{"bun.lockb": ""}, ".", "bun run dev --port 3000 --strictPort"},
		{nil, ".", "npm run dev -- --port 3000 --strictPort"},
		{map[string]string{"package.json": `{"packageManager": "pnpm@9.1.0+sha512.abc", "scripts": {"dev": "vite"}}`}, ".", "pnpm run dev --port 3000 --strictPort"},
		{map[string]string{"package.json": `{"packageManager": "yarn@4.0.0", "scripts": {"dev": "vite"}}`, "package-lock.json": "", "yarn.lock": ""}, ".", "yarn run dev --port 3000 --strictPort"},
		{map[string]string{"package.json": `{"packageManager": "deno@2", "scripts": {"dev": "vite"}}`}, ".", "npm run dev -- --port 3000 --strictPort"},
		// A workspace keeps its lock file at the top of the repository.
		{map[string]string{".git/HEAD": "", "pnpm-lock.yaml": "", "apps/web/package.json": script("vite")}, "apps/web", "pnpm run dev --port 3000 --strictPort"},
		{map[string]string{".git/HEAD": "", "package.json": `{"packageManager": "yarn@4.0.0"}`, "apps/web/package.json": script("vite")}, "apps/web", "yarn run dev --port 3000 --strictPort"},
		{map[string]string{"pnpm-lock.yaml": "", "repo/.git/HEAD": "", "repo/package.json": script("vite")}, "repo", "npm run dev -- --port 3000 --strictPort"},
		{map[string]string{"pnpm-lock.yaml": "", "web/package.json": script("vite")}, "web", "npm run dev -- --port 3000 --strictPort"},
	} {
		if c.files == nil {
			c.files = map[string]string{}
		}
		if c.under == "." && c.files["package.json"] == "" {
			c.files["package.json"] = script("vite")
		}
		dir := filepath.Join(project(t, c.files), c.under)
		cmd, err := Dev(dir, "", 3000, nil)
		if err != nil || cmd.Line != c.want {
			t.Errorf("%v: %q, %v, want %q", c.files, cmd.Line, err, c.want)
		}
	}
}

func TestAConfiguredCommandRunsThroughTheShell(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("cmd /C there")
	}
	dir := project(t, nil)
	for configured, want := range map[string]string{
		"npx vite dev":          "npx vite dev --port 3001 --strictPort",
		"cd web && next dev":    "cd web && next dev -p 3001",
		"npm run dev":           "npm run dev",
		" go run ./cmd/shop  ":  "go run ./cmd/shop",
		"npx vite --port $PORT": "npx vite --port $PORT",
	} {
		cmd, err := Dev(dir, configured, 3001, nil)
		if err != nil || cmd.Line != want || !reflect.DeepEqual(cmd.Args, []string{"sh", "-c", want}) {
			t.Errorf("%q: %+v, %v", configured, cmd, err)
		}
	}
	cmd, err := Test(dir, "go test ./...", []string{"A=1"})
	if err != nil || cmd.Line != "go test ./..." || slices.ContainsFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, "PORT=") }) {
		t.Errorf("%+v, %v", cmd, err)
	}
}

func TestAGoProjectNeedsNoSetting(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("cmd /C there")
	}
	mod, program := "module x\n", "package main\n\nfunc main() {}\n"
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"go.mod": mod, "main.go": program}, "go run ."},
		{map[string]string{"go.mod": mod, "main.go": program, ".air.toml": ""}, "air"},
		{map[string]string{"go.mod": mod, "cmd/shop/main.go": program}, "go run ./cmd/shop"},
		{map[string]string{"go.mod": mod, "magefile.go": "//go:build mage\n\n" + program, "cmd/shop/main.go": program}, "go run ./cmd/shop"},
	} {
		dir := project(t, c.files)
		if cmd, err := Dev(dir, "", 3000, nil); err != nil || cmd.Line != c.want {
			t.Errorf("%v: %+v, %v", c.files, cmd, err)
		}
		if cmd, err := Test(dir, "", nil); err != nil || cmd.Line != "go test ./..." {
			t.Errorf("%v: %+v, %v", c.files, cmd, err)
		}
	}
}

func TestAMissingScriptNamesTheSettingAndTheLineToWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files      map[string]string
		dev, write string
		err        error
	}{
		{nil, "", `DBTASKS_DEV_COMMAND="npx vite dev"`, jsproject.ErrNoPackage},
		{map[string]string{"go.mod": "module x"}, "", `DBTASKS_DEV_COMMAND="go run ."`, jsproject.ErrNoPackage},
		{map[string]string{"package.json": `{"scripts": {"start": "node ."}}`, "pnpm-lock.yaml": ""}, "", `DBTASKS_DEV_COMMAND="pnpm run start"`, ErrNoScript},
		{map[string]string{"package.json": `{"scripts": `}, "", `DBTASKS_DEV_COMMAND="npx vite dev"`, jsproject.ErrBadPackage},
	} {
		_, err := Dev(project(t, c.files), "", 3000, nil)
		var setting *SettingError
		if !errors.As(err, &setting) || !errors.Is(err, c.err) || setting.Setting != DevSetting || setting.Write != c.write || !strings.Contains(err.Error(), c.write) {
			t.Errorf("%v: %v", c.files, err)
		}
	}
	_, err := Test(project(t, map[string]string{"package.json": `{"scripts": {"test": "vitest"}}`}), "", nil)
	var setting *SettingError
	if !errors.As(err, &setting) || setting.Write != `DBTASKS_TEST_COMMAND="npm run test"` {
		t.Errorf("%v", err)
	}
	cmd, err := Test(project(t, map[string]string{"package.json": "\ufeff" + `{"scripts": {"test:run": "vitest run"}}`}), "", nil)
	if err != nil || cmd.Line != "npm run test:run" {
		t.Errorf("%+v, %v", cmd, err)
	}
}

func TestTheEnvironmentIsThatOfNpmRunDev(t *testing.T) {
	t.Parallel()
	goBin := project(t, map[string]string{"go": ""})
	list := func(dirs ...string) string { return strings.Join(dirs, string(os.PathListSeparator)) }
	dir := project(t, map[string]string{"package.json": `{"name": "@shop/web", "scripts": {"dev": "node ."}}`, ".env": "DATABASE_URL=postgres://u:secret@localhost/shop\nPORT=9"})
	for _, c := range []struct{ in, want []string }{
		{nil, []string{"PGAPPNAME=@shop/web", "PORT=3000"}},
		{[]string{"A=1", "MAGEFILE_VERBOSE=0", "MAGEFILE_GOCMD=go", "MAGEFILE_CACHE=/c", "DBTASKS_ROLE=x", "DBTASKS_PORTS=3000"},
			[]string{"A=1", "MAGEFILE_CACHE=/c", "DBTASKS_PORTS=3000", "PGAPPNAME=@shop/web", "PORT=3000"}},
		{[]string{"PGAPPNAME=mine", "PORT=1", "PORT=2"}, []string{"PGAPPNAME=mine", "PORT=3000"}},
		{[]string{"PGAPPNAME="}, []string{"PGAPPNAME=", "PORT=3000"}},
		// What go tool mage puts in front of PATH goes, what the user has stays.
		{[]string{"MAGEFILE_GOCMD=go", "PATH=" + list(goBin, "/usr/bin", goBin)}, []string{"PATH=" + list("/usr/bin", goBin), "PGAPPNAME=@shop/web", "PORT=3000"}},
		{[]string{"MAGEFILE_GOCMD=go", "PATH=" + list(goBin, "/usr/bin")}, []string{"PATH=" + list(goBin, "/usr/bin"), "PGAPPNAME=@shop/web", "PORT=3000"}},
		{[]string{"PATH=" + list(goBin, goBin)}, []string{"PATH=" + list(goBin, goBin), "PGAPPNAME=@shop/web", "PORT=3000"}},
		{[]string{"GOROOT=/other", "GOTOOLCHAIN_INTERNAL_SWITCH_VERSION=go1.26", "GOTOOLCHAIN_INTERNAL_SWITCH_COUNT=1"}, []string{"PGAPPNAME=@shop/web", "PORT=3000"}},
		{[]string{"GOROOT=/mine"}, []string{"GOROOT=/mine", "PGAPPNAME=@shop/web", "PORT=3000"}},
	} {
		cmd, err := Dev(dir, "", 3000, c.in)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(cmd.Env)
		slices.Sort(c.want)
		if !reflect.DeepEqual(cmd.Env, c.want) {
			t.Errorf("%q: %q, want %q", c.in, cmd.Env, c.want)
		}
	}
	own := project(t, map[string]string{"package.json": script("node ."), ".env.local": "PGAPPNAME=ours"})
	if cmd, _ := Dev(own, "", 3000, nil); lookup(cmd.Env, "PGAPPNAME") != nil {
		t.Errorf("PGAPPNAME of .env.local is overridden: %q", cmd.Env)
	}
	bare := project(t, map[string]string{"go.mod": "module x"})
	if cmd, _ := Dev(bare, "go run .", 3000, nil); !slices.Contains(cmd.Env, "PGAPPNAME="+filepath.Base(bare)) {
		t.Errorf("%q", cmd.Env)
	}
}

func TestNoOutputOfACommandShowsAPassword(t *testing.T) {
	t.Parallel()
	cmd, err := Dev(project(t, nil), "DATABASE_URL=postgres://u:secret@localhost/shop npx vite dev", 3000, []string{"DIRECT_URL=postgres://u:secret@localhost/shop"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "DATABASE_URL=postgres://u:***@localhost/shop npx vite dev --port 3000 --strictPort"; cmd.Line != want {
		t.Errorf("%q", cmd.Line)
	}
	if !strings.Contains(strings.Join(cmd.Args, " "), "secret") {
		t.Error("the masked line would be run")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{cmd, &cmd, []Command{cmd}} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "secret") {
				t.Errorf("%s: %s", verb, text)
			}
		}
	}
}
