package devserver

import (
	"strings"
	"testing"
)

// recogniseCases are command lines, words parted by "|" as the operating
// system parts them; a line without one is a title that a program gave itself
// or a program without arguments.
var recogniseCases = []struct{ line, exe, what string }{
	// Vite, as npm, pnpm, bun and people start it.
	{"node|/home/u/shop/node_modules/.bin/vite|dev", "/usr/bin/node", "vite dev"},
	{"node|/home/u/shop/node_modules/.bin/vite", "/usr/bin/node", "vite"},
	{"node|/home/u/shop/node_modules/vite/bin/vite.js|serve|--port|3000", "", "vite serve"},
	{"node|/home/u/shop/node_modules/.bin/../vite/bin/vite.js|dev", "", "vite dev"},
	{"node|/home/u/shop/node_modules/.pnpm/vite@8.3.8/node_modules/vite/bin/vite.js|dev", "", "vite dev"},
	{"/opt/homebrew/bin/node|--max-old-space-size=4096|--inspect|./node_modules/.bin/vite|--host|0.0.0.0", "/opt/homebrew/Cellar/node/24/bin/node", "vite"},
	{"node|-r|dotenv/config|node_modules/vite/bin/vite.js|--mode|build", "", "vite"},
	{"bun|--bun|vite|dev", "/home/u/.bun/bin/bun", "vite dev"},
	{"bun|/home/u/shop/node_modules/.bin/vite|dev", "", "vite dev"},
	{`C:\Program Files\nodejs\node.exe|C:\Users\u\shop\node_modules\vite\bin\vite.js|dev`, `C:\Program Files\nodejs\node.exe`, "vite dev"},
	{"node|/home/u/shop/node_modules/.bin/vite|build|--watch", "", ""},
	{"node|/home/u/shop/node_modules/.bin/vite|preview|--port|3000", "", ""},
	{"node|/home/u/shop/node_modules/.bin/vite|--mode|production|build", "", ""},
	{"node|/home/u/shop/node_modules/.bin/vite|--version", "", ""},
	{"node|/home/u/shop/node_modules/.bin/vitest", "", ""},
	{"node|/home/u/shop/node_modules/vitest/vitest.mjs|--watch", "", ""},
	{"node (vitest 1)", "/usr/bin/node", ""},
	{"node|/home/u/shop/node_modules/vitest/dist/workers/forks.js", "", ""},
	{"node|./vite.js|dev", "", ""},
	{"node|vite|dev", "", ""}, // a file of that name in the folder
	{"node|./vite|dev", "", ""},
	{"node|/home/u/vite/server.js|dev", "", ""},
	// Next.js.
	{"node|/home/u/shop/node_modules/.bin/next|dev", "", "next dev"},
	{"node|/home/u/shop/node_modules/next/dist/bin/next|dev|-p|3001", "", "next dev"},
	{"node|/home/u/shop/node_modules/.bin/next", "", "next"},
	{"next-server (v16.4.3)", "/usr/bin/node", "next-server"},
	{"next-server (v16.4.3)", "", "next-server"},
	{"next-server|(v15.0.0)", "", "next-server"},
	{"next-server (v16.4.3)", "/usr/bin/sleep", ""},
	{"next-serverless", "", ""},
	{"node|/home/u/shop/node_modules/.bin/next|build", "", ""},
	{"node|/home/u/shop/node_modules/.bin/next|start|-p|3000", "", ""},
	{"node|/home/u/shop/node_modules/next/dist/compiled/jest-worker/processChild.js", "", ""},
	// Package managers, with npm's own title.
	{"npm run dev", "/usr/bin/node", "npm run dev"},
	{"npm start", "/usr/bin/node", "npm run start"},
	{"npm run dev --port 3000", "", "npm run dev"},
	{"npm exec vite dev", "", "vite dev"},
	{"node|/usr/bin/npm|run|dev", "", "npm run dev"},
	{"node|/usr/lib/node_modules/npm/bin/npm-cli.js|run|serve", "", "npm run serve"},
	{"npm|run|--silent|dev", "", "npm run dev"},
	{"npm|--prefix|web|run|dev", "", "npm run dev"},
	{"node|/usr/local/bin/pnpm|run|dev", "", "pnpm run dev"},
	{"node|/usr/local/bin/pnpm|--filter|web|dev", "", "pnpm run dev"},
	{"node|/home/u/shop/.yarn/releases/yarn-4.5.0.cjs|dev", "", "yarn run dev"},
	{"node|/usr/share/yarn/bin/yarn.js|start", "", "yarn run start"},
	{"node|/usr/lib/node_modules/corepack/dist/pnpm.js|dev", "", "pnpm run dev"},
	{"bun|run|dev", "/home/u/.bun/bin/bun", "bun run dev"},
	{"npm run build", "", ""},
	{"npm run dev:stop", "", ""},
	{"npm run dev:recover", "", ""},
	{"npm run test:run", "", ""},
	{"npm dev", "", ""},
	{"npm install vite", "", ""},
	{"npm run db:cleanup", "", ""},
	// The others.
	{"node|/home/u/api/node_modules/.bin/nodemon|src/index.js", "", "nodemon"},
	{"node|/home/u/api/node_modules/nodemon/bin/nodemon.js|--exec|ts-node|src/index.ts", "", "nodemon"},
	{"node|/home/u/api/node_modules/.bin/ts-node-dev|--respawn|src/index.ts", "", "ts-node-dev"},
	{"node|/home/u/api/node_modules/tsx/dist/cli.mjs|watch|src/index.ts", "", "tsx watch"},
	{"node|/home/u/api/node_modules/.bin/tsx|scripts/seed.ts", "", ""},
	{"node|--watch|src/index.js", "", "node --watch"},
	{"node|--watch|--test|src/index.js", "", ""},
	{"node|/home/u/shop/node_modules/.bin/remix|vite:dev", "", "remix vite:dev"},
	{"node|/home/u/shop/node_modules/@react-router/dev/bin.js|dev", "", "react-router dev"},
	{"node|/home/u/shop/node_modules/.bin/astro|dev", "", "astro dev"},
	{"node|/home/u/shop/node_modules/.bin/astro|check|--watch", "", ""},
	{"node|/home/u/shop/node_modules/nuxt/bin/nuxt.mjs|dev", "", "nuxt dev"},
	{"node|/home/u/shop/node_modules/@sveltejs/kit/svelte-kit.js|dev", "", "svelte-kit dev"},
	{"node|/home/u/shop/node_modules/.bin/svelte-kit|sync", "", ""},
	{"node|/home/u/shop/node_modules/.bin/webpack|serve|--mode|development", "", "webpack serve"},
	{"node|/home/u/shop/node_modules/.bin/webpack-dev-server", "", "webpack-dev-server"},
	{"node|/home/u/shop/node_modules/.bin/webpack|--watch", "", ""},
	{"air", "/home/u/go/bin/air", "air"},
	{"air|format", "/usr/bin/air", ""},
	// Beside the dev server.
	{"node|/home/u/shop/node_modules/typescript/lib/tsserver.js|--useInferredProjectPerProjectRoot", "", ""},
	{"node|/home/u/shop/node_modules/.bin/eslint|--fix|src/vite", "", ""},
	{"node|/home/u/.npm/bin/svelteserver|--stdio", "", ""},
	{"/home/u/.vscode-server/bin/abc/node|/home/u/.vscode-server/bin/abc/out/server-main.js|--start-server", "", ""},
	{"node|/home/u/shop/node_modules/.bin/jest|--watch|dev", "", ""},
	{"node|/home/u/shop/node_modules/.bin/prisma|studio", "", ""},
	{"node|/home/u/.local/bin/claude|fix|vite|dev", "", ""},
	{"claude", "/usr/bin/node", ""},
	{"node|/home/u/dev/app/x.js", "", ""},
	{"node|/home/u/dev/vite|dev", "", ""},
	{"node|-e|require('vite')|dev", "", ""},
	{"node|server.js|dev", "", ""},
	{"vim|vite.config.ts", "/usr/bin/vim", ""},
	{"code|--goto|vite.config.ts", "/usr/share/code/code", ""},
	{"grep|vite|dev", "/usr/bin/grep", ""},
	{"sh|-c|vite dev", "/usr/bin/dash", ""},
	{"tail|-f|/tmp/npm run dev.log", "", ""},
	{"sleep|npm run dev", "", ""},
	{"vite|dev", "/usr/bin/sleep", ""},
	{"go|run|.", "/usr/local/go/bin/go", ""},
	{"python3|manage.py|runserver", "", ""},
	{"postgres: shop shop [local] idle", "/usr/lib/postgresql/15/bin/postgres", ""},
	{"", "", ""},
}

func TestOnlyProgramsThatRunADevServerAreRecognised(t *testing.T) {
	t.Parallel()
	for _, c := range recogniseCases {
		what, ok := Recognise(argsOf(c.line), c.exe, "")
		if what != c.what || ok != (c.what != "") {
			t.Errorf("%s (%s): %q, %v, want %q", c.line, c.exe, what, ok, c.what)
		}
	}
}

func TestATitleCutShortIsTakenFromTheName(t *testing.T) {
	t.Parallel()
	if what, _ := Recognise(nil, "", "npm run dev"); what != "npm run dev" {
		t.Errorf("%q", what)
	}
	if what, _ := Recognise([]string{"npm run dev", "", ""}, "", "npm run dev"); what != "npm run dev" {
		t.Errorf("%q", what)
	}
	if what, ok := Recognise(nil, "", "node"); ok {
		t.Errorf("%q", what)
	}
}

func TestWhatStandsAboveADevServerIsALauncher(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"npm run dev":                        true,
		"npm run web:all":                    true,
		"npm exec vite":                      true,
		"sh|-c|vite dev":                     true,
		"sh|-c|prisma generate && vite dev":  true,
		"sh|-c|npm run dev:web":              true,
		"/bin/sh|-c|concurrently vite other": true,
		"bash|-lc|NODE_ENV=x npx vite":       true,
		"node|/home/u/shop/node_modules/.bin/cross-env|A=1|vite":       true,
		"node|/home/u/shop/node_modules/.bin/concurrently|vite|tsc -w": true,
		"node|/home/u/shop/node_modules/.bin/next|dev":                 true,
		"node|/home/u/shop/node_modules/.bin/turbo|run|dev":            true,
		"npm install":              false,
		"sh":                       false,
		"bash|-i":                  false,
		"-bash":                    false,
		"bash|deploy.sh|vite":      false,
		"sh|-c|vim vite.config.ts": false,
		"sh|-c|(vite dev)":         false,
		"tmux|new|npm run dev":     false,
		"node|/home/u/agent.js":    false,
		"node|/home/u/shop/node_modules/.bin/vite|build": false,
		"": false,
	} {
		if got := Launcher(argsOf(line), ""); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestEditorsBrowsersAgentsAndWatchersAreBystanders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line, exe, name string
		want            bool
	}{
		{"node|/home/u/shop/node_modules/typescript/lib/tsserver.js", "", "node", true},
		{"node|/home/u/shop/node_modules/.bin/eslint|.", "", "node", true},
		{"node|/usr/bin/svelteserver|--stdio", "", "node", true},
		{"node|/home/u/.vscode-server/extensions/x/server.js", "", "node", true},
		{"/home/u/.vscode-server/bin/1/node|main.js", "/home/u/.vscode-server/bin/1/node", "node", true},
		{"node|/home/u/.nvm/bin/typescript-language-server|--stdio", "", "node", true},
		{"node|/home/u/shop/node_modules/vitest/vitest.mjs|--watch", "", "node", true},
		{"node|/home/u/shop/node_modules/.bin/jest|--watch", "", "node", true},
		{"node|/home/u/shop/node_modules/.bin/prisma|studio", "", "node", true},
		{"node|/home/u/.npm-global/bin/claude", "", "node", true},
		{"claude", "/usr/bin/node", "claude", true},
		{"/usr/bin/nvim|vite.config.ts", "/usr/bin/nvim", "nvim", true},
		{"/opt/google/chrome/chrome|http://localhost:3000", "/opt/google/chrome/chrome", "chrome", true},
		{"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "", "Google Chrome", true},
		{"tmux: server", "/usr/bin/tmux", "tmux: server", true},
		{"node|/home/u/shop/node_modules/.bin/vite|dev", "/usr/bin/node", "node", false},
		{"node|server.js", "/usr/bin/node", "node", false},
		{"next-server (v16.4.3)", "/usr/bin/node", "next-server (v1", false},
		{"/home/u/shop/node_modules/@esbuild/linux-x64/bin/esbuild|--service=0.25", "", "esbuild", false},
		{"sh|-c|vite dev", "/usr/bin/dash", "sh", false},
		{"node|/home/u/cursor/server.js", "/usr/bin/node", "node", false},
	} {
		if got := Bystander(argsOf(c.line), c.exe, c.name); got != c.want {
			t.Errorf("%s: %v", c.line, got)
		}
	}
}

func argsOf(line string) []string {
	if line == "" {
		return nil
	}
	return strings.Split(line, "|")
}
