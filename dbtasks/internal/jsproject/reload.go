package jsproject

import (
	"slices"
	"strings"
)

// Reloads tells what the package's dev server does when a source file changes:
// by the program that its dev script runs, else by its framework. vite says
// that the package's own code runs Vite as a middleware or loads modules
// through it. told is false where neither tells, as for a library.
func (p *Package) Reloads(vite bool) (reload Reload, told bool) {
	f, known := p.Framework()
	for _, row := range frameworks { // Next.js under "node server.js" evaluates modules again all the same
		if row.Reload == InProcess && row.Name != Vite && slices.ContainsFunc(row.Packages, func(name string) bool { _, ok := p.Depends(name); return ok }) {
			return InProcess, true
		}
	}
	words := strings.FieldsFunc(p.devScript(), func(r rune) bool { return strings.ContainsRune(" \t\"';&|", r) })
	has := func(names ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool {
			return slices.Contains(names, word[strings.LastIndexByte(word, '/')+1:])
		})
	}
	switch {
	case vite && has("node", "tsx", "nodemon", "ts-node"):
		return InProcess, true
	case has("--hot"), has("vite-node"):
		return InProcess, true
	case has("nodemon", "tsnd", "ts-node-dev", "node-dev"), has("watch", "--watch", "--respawn") && has("node", "tsx", "bun", "deno", "nest"):
		return NewProcess, true
	case known && f.Reload != ReloadUnknown && (f.Name != ServerName || len(words) == 0):
		return f.Reload, true
	case has("node", "tsx", "ts-node", "bun", "deno"):
		return NoReload, true
	}
	return ReloadUnknown, known || len(words) > 0
}
