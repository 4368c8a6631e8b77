package jsproject

import (
	"slices"
	"strings"
)

// Reloads tells what the package's dev server does when a source file changes:
// by the program that its dev script runs, else by its framework. vite says
// that the package's own code runs Vite as a middleware, loads modules through
// it, or serves from a plugin of it. told is false where neither tells, as for
// a library.
func (p *Package) Reloads(vite bool) (reload Reload, told bool) {
	f, known := p.Framework()
	depends := func(names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { _, ok := p.Depends(name); return ok })
	}
	server := false
	for _, row := range frameworks { // Next.js under "node server.js" evaluates modules again all the same
		if row.Reload == InProcess && row.Name != Vite && depends(row.Packages) {
			return InProcess, true
		}
		server = server || row.Name == ServerName && depends(row.Packages)
	}
	words := p.devWords()
	has := func(names ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool {
			return slices.Contains(names, word[strings.LastIndexByte(word, '/')+1:])
		})
	}
	switch {
	case vite || depends([]string{"@hono/vite-dev-server", "vite-plugin-node", "vavite"}) || has("--hot", "vite-node"):
		return InProcess, true
	case has("nodemon", "tsnd", "ts-node-dev", "node-dev"), has("watch", "--watch", "--respawn") && has("node", "tsx", "bun", "deno", "nest"):
		return NewProcess, true
	case known && f.Name == Vite && server: // the pages' Vite, and a server that starts in a way of its own
		return ReloadUnknown, true
	case known && f.Reload != ReloadUnknown && (f.Name != ServerName || len(words) == 0):
		return f.Reload, true
	case has("node", "tsx", "ts-node", "bun", "deno"):
		return NoReload, true
	}
	return ReloadUnknown, known || len(words) > 0
}

// devWords are the words of the dev script and of the scripts that it runs, and
// of those named after it: "dev:server".
func (p *Package) devWords() []string {
	var words []string
	seen := map[string]bool{}
	add := func(name string) {
		if text := p.Scripts[name]; text != "" && !seen[name] && len(seen) < 20 {
			seen[name] = true
			words = append(words, strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\"';&|()", r) })...)
		}
	}
	for _, name := range devScripts {
		if add(name); len(words) > 0 {
			break
		}
	}
	for name := range p.Scripts {
		if stem, _, ok := strings.Cut(name, ":"); ok && (stem == "dev" || stem == "watch") {
			add(name)
		}
	}
	for i := 0; i < len(words); i++ { // grows: "npm run dev:api", "yarn dev:api", "npm:dev:api"
		word := strings.TrimPrefix(words[i], "npm:")
		before := ""
		if i > 0 {
			before = words[i-1]
		}
		if word != words[i] || slices.Contains([]string{"run", "yarn", "pnpm", "bun"}, before) {
			add(word)
		}
	}
	return words
}
