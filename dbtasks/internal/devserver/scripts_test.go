package devserver

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatAProcessRunsIsToldFromItsCommandLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]Source{
		"node|dist/main.js": {File: "/shop/dist/main.js"},
		"node|--require|/nm/tsx/p.cjs|--import|file:///x|src/index.ts": {File: "/shop/src/index.ts"},
		"node|--env-file=.env|--watch|.":                               {File: "/shop"},
		"node|node_modules/.bin/vite|dev":                              {File: "/shop/node_modules/.bin/vite", Package: "vite"},
		"node|/shop/node_modules/.pnpm/@nestjs+cli@11/node_modules/@nestjs/cli/bin/nest.js|start": {
			File: "/shop/node_modules/.pnpm/@nestjs+cli@11/node_modules/@nestjs/cli/bin/nest.js", Package: "@nestjs/cli"},
		"node|-e|1":                           {Inline: true},
		"node /shop/server.js":                {File: "/shop/server.js"}, // pm2's title
		"next-server (v16.4.3)":               {},
		"node":                                {},
		"bun|--hot|src/index.ts":              {File: "/shop/src/index.ts"},
		"bun|--watch|run|src/index.ts":        {File: "/shop/src/index.ts"},
		"bun|run|--watch|src/index.ts":        {File: "/shop/src/index.ts"},
		"deno|run|-A|--watch|src/index.mjs":   {File: "/shop/src/index.mjs"},
		"deno|task|dev":                       {},
		"python3|manage.py|runserver":         {File: "/shop/manage.py"},
		"python3|-m|http.server":              {Inline: true},
		"php|-S|localhost:3000|-t|public":     {Inline: true},
		"node|file:///opt/agent/cli.js|serve": {File: "/opt/agent/cli.js"},
	} {
		args := argsOf(line)
		if got := SourceOf(args, "", "/shop"); got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
	if s := SourceOf([]string{"web"}, "/tmp/go-build123/b001/exe/web", "/shop"); !s.GoRun() {
		t.Errorf("%+v is what go run built", s)
	}
	if s := SourceOf([]string{"./tmp/main"}, "/shop/tmp/main (deleted)", "/shop"); s.File != "/shop/tmp/main" || s.GoRun() {
		t.Errorf("%+v", s)
	}
}

func TestTheScriptsOfADevServerAreThoseThatTheDevScriptRuns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		json, configured   string
		dev, app, besideIt []string
	}{
		"one script":    {`{"dev":"vite dev","start":"node build","studio":"prisma studio","build":"vite build"}`, "", []string{"dev"}, []string{"start"}, []string{"studio", "build"}},
		"run-p":         {`{"dev":"run-p dev:* worker studio","dev:web":"vite","dev:api":"tsx watch api","worker":"node worker","studio":"prisma studio","jobs":"node jobs"}`, "", []string{"dev", "dev:web", "dev:api", "worker"}, nil, []string{"studio", "jobs"}},
		"concurrently":  {`{"dev":"concurrently \"npm:web\" \"pnpm run api\" \"npm:studio\"","web":"vite","api":"node api","studio":"x"}`, "", []string{"dev", "web", "api"}, nil, []string{"studio"}},
		"a tool's word": {`{"dev":"concurrently vite 'prisma studio'","studio":"prisma studio","vite":"x"}`, "", []string{"dev"}, nil, []string{"studio", "vite"}},
		"no dev":        {`{"start":"react-scripts start","storybook":"storybook dev"}`, "", []string{"start"}, nil, []string{"storybook"}},
		"configured":    {`{"web":"vite","docs":"vite docs"}`, "npm run web", []string{"web"}, nil, []string{"docs"}},
		"the tool's":    {`{"dev":"vite","dev:stop":"mage dev:stop","dev:recover":"mage dev:recover","test:ui":"vitest --ui"}`, "", []string{"dev"}, nil, []string{"dev:stop", "dev:recover", "test:ui"}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"scripts":`+c.json+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		s := ReadScripts(dir, c.configured)
		for _, script := range c.dev {
			if !s.Dev(script) {
				t.Errorf("%s: %s runs the dev server", name, script)
			}
		}
		for _, script := range c.app {
			if s.Dev(script) || !s.App(script) {
				t.Errorf("%s: %s runs the app in another way", name, script)
			}
		}
		for _, script := range c.besideIt {
			if s.Dev(script) || s.App(script) {
				t.Errorf("%s: %s is something else", name, script)
			}
		}
	}
}

func TestAPackageManagerTellsWhichScriptItRuns(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][2]string{
		"npm run dev":                                     {"dev", ""},
		"npm start":                                       {"start", ""},
		"npm|--prefix|web|run|dev":                        {"dev", "web"},
		"node|/usr/local/bin/pnpm|studio":                 {"studio", ""},
		"node|/usr/local/bin/pnpm|-C|../other|run|dev":    {"dev", "../other"},
		"node|/usr/local/bin/pnpm|--filter|web|dev":       {"dev", ""},
		"node|/home/u/shop/.yarn/releases/yarn-4.cjs|dev": {"dev", ""},
		"bun|run|dev":                                     {"dev", ""},
		"bun|run|--watch|src/index.ts":                    {"", ""},
		"deno|task|dev":                                   {"dev", ""},
		"node|--run|dev":                                  {"dev", ""},
		"npm install":                                     {"", ""},
		"node|/usr/local/bin/pnpm|install":                {"", ""},
		"npm exec vite":                                   {"", ""},
		"node|server.js":                                  {"", ""},
	} {
		if script, dir := RunsScript(argsOf(line), ""); [2]string{script, dir} != want {
			t.Errorf("%s: %q in %q, want %q", line, script, dir, want)
		}
	}
}
