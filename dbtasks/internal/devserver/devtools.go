package devserver

import (
	"slices"
	"strings"
)

// devTool says which of a tool's subcommands are its dev server.
type devTool struct {
	only   []string // these subcommands; nil: any use of the tool but the following
	except []string
	valued []string // flags whose value is a word of its own
}

var devTools = map[string]devTool{
	"vite":               {except: []string{"build", "preview", "optimize"}, valued: []string{"-c", "--config", "-m", "--mode", "--base", "-l", "--logLevel", "--port", "--outDir"}},
	"next":               {except: []string{"build", "start", "lint", "info", "telemetry", "export", "typegen", "upgrade", "analyze", "internal", "experimental-test"}, valued: []string{"-p", "--port", "-H", "--hostname"}},
	"nodemon":            {},
	"node --watch":       {},
	"ts-node-dev":        {},
	"tsnd":               {},
	"tsx":                {only: []string{"watch"}},
	"remix":              {only: []string{"dev", "vite:dev"}},
	"react-router":       {only: []string{"dev"}},
	"astro":              {only: []string{"dev"}},
	"nuxt":               {only: []string{"dev"}},
	"nuxi":               {only: []string{"dev"}},
	"svelte-kit":         {only: []string{"dev"}},
	"webpack":            {only: []string{"serve", "server", "s"}},
	"webpack-dev-server": {},
	"rspack":             {only: []string{"serve", "server", "s", "dev"}},
	"rsbuild":            {only: []string{"dev"}},
	"react-scripts":      {only: []string{"start"}},
	"vue-cli-service":    {only: []string{"serve"}},
	"ng":                 {only: []string{"serve", "s"}},
	"gatsby":             {only: []string{"develop"}},
	"vinxi":              {only: []string{"dev"}},
	"wrangler":           {only: []string{"dev"}},

	"nest":            {only: []string{"start"}},
	"vite-node":       {},
	"rw":              {only: []string{"dev"}},
	"redwood":         {only: []string{"dev"}},
	"blitz":           {only: []string{"dev"}},
	"strapi":          {only: []string{"develop", "dev"}},
	"medusa":          {only: []string{"develop", "start"}},
	"ace":             {only: []string{"serve"}},
	"expo":            {only: []string{"start"}},
	"netlify":         {only: []string{"dev"}},
	"vercel":          {only: []string{"dev"}},
	"turbo":           {only: []string{"dev", "run"}, valued: []string{"--filter", "-F", "--cwd", "--concurrency"}},
	"nx":              {only: []string{"serve", "dev", "run-many", "run"}, valued: []string{"-t", "--target", "--targets", "-p", "--projects"}},
	"vitepress":       {only: []string{"dev"}},
	"docusaurus":      {only: []string{"start"}},
	"parcel":          {except: []string{"build", "watch"}},
	"ember":           {only: []string{"serve", "s"}},
	"sst":             {only: []string{"dev"}},
	"@tanstack/start": {only: []string{"dev"}},

	// Go's live reload.
	"wgo":           {only: []string{"run"}, valued: []string{"-file", "-xfile", "-dir", "-xdir", "-debounce", "-cd"}},
	"gow":           {only: []string{"run"}, valued: []string{"-e", "-i", "-w", "-g"}},
	"reflex":        {},
	"CompileDaemon": {},
}

// devScripts are the names under which package.json keeps a dev server.
var devScripts = []string{"dev", "develop", "start", "serve", "start:dev"}

// runsDev tells whether the program runs a dev server, and says which: "vite dev".
func (p program) runsDev() (what string, ok bool) {
	switch p.Name {
	case "npm", "pnpm", "yarn", "bun":
		script := afterFlags(p.Args, managerValueFlags...)
		if len(script) > 0 && (script[0] == "run" || script[0] == "run-script") {
			script = afterFlags(script[1:], managerValueFlags...)
		} else if p.Name == "npm" && (len(script) == 0 || script[0] != "start") {
			return "", false // npm runs no other script by its bare name
		}
		if len(script) == 0 || !slices.Contains(devScripts, script[0]) {
			return "", false
		}
		return p.Name + " run " + script[0], true
	case "air":
		// Bare or with flags; with a word it is another tool of that name.
		if len(p.Args) == 0 || p.Args[0] == "-c" {
			return "air", true
		}
		return "", false
	}
	tool, ok := devTools[p.Name]
	if !ok {
		return "", false
	}
	if p.Name == "tsx" && slices.Contains(p.Args, "--watch") {
		return "tsx --watch", true
	}
	for _, flag := range []string{"--help", "-h", "--version", "-v"} {
		if slices.Contains(p.Args, flag) {
			return "", false
		}
	}
	sub := subcommand(p.Args, tool.valued)
	switch {
	case tool.only != nil && !slices.Contains(tool.only, sub), slices.Contains(tool.except, sub):
		return "", false
	case tool.only != nil || sub == "dev" || sub == "serve":
		return p.Name + " " + sub, true
	}
	return p.Name, true
}

// subcommand is the first word that is no flag; empty: none.
func subcommand(args, valued []string) string {
	if args = afterFlags(args, valued...); len(args) > 0 {
		return args[0]
	}
	return ""
}

// hasPortFlag tells whether the script names a port itself.
func (p program) hasPortFlag() bool {
	return slices.ContainsFunc(p.Args, func(arg string) bool {
		return arg == "--port" || strings.HasPrefix(arg, "--port=") || (p.Name == "next" || p.Name == "nuxt" || p.Name == "nuxi") && strings.HasPrefix(arg, "-p")
	})
}
