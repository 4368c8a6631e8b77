package jscode

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// ExportOf is the name under which a client's module exports it, and whether
// that is a function which gives it.
func (p *Code) ExportOf(c *Client) (name string, function bool) {
	found := p.ExportsOf(c)
	if len(found) == 0 {
		return "", false
	}
	name = found[0]
	if name == "default" && len(found) > 1 {
		name = found[1]
	}
	return name, slices.ContainsFunc(p.values(c.Module.exports[name]), func(v value) bool { return p.functionOf(v) != nil })
}

// ExportsOf are the names under which a client's module exports it, or a
// function which gives it, sorted.
func (p *Code) ExportsOf(c *Client) []string {
	var found []string
	for name, e := range c.Module.exports {
		if p.holds(e, c, 0) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// OnlyMakes tells whether a client's module does little but make it, so that
// nothing is lost where it is written anew: it is short, exports nothing else, no
// function which gives it, and extends it with nothing.
func (p *Code) OnlyMakes(c *Client) bool {
	lines := 0
	for line := range strings.Lines(c.Module.text) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	_, function := p.ExportOf(c)
	return lines <= 40 && !function && c.class == nil && len(c.Module.stars) == 0 && len(c.Module.exports) == len(p.ExportsOf(c)) && !p.Calls(c.Module.path, "$extends")
}

// Calls tells whether a file calls something of this name.
func (p *Code) Calls(file, name string) bool {
	m := p.modules[file]
	if m == nil {
		return false
	}
	p.parse(m)
	return slices.ContainsFunc(m.sites, func(s *site) bool { return lastName(s.callee) == name })
}

// NameOf is the variable that holds a client, by its name in the user's file.
func (p *Code) NameOf(c *Client) string {
	var names []string
	for name, b := range c.Module.scope.names {
		if strings.HasPrefix(name, "stdin_") || strings.HasPrefix(name, "import_") { // esbuild's own
			continue
		}
		for _, d := range b.defs {
			if _, isFunction := c.Module.funcs[d.value.node]; !isFunction && len(d.keys) == 0 && p.makes(d.value, c) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return c.Variable
	}
	slices.Sort(names)
	return names[0]
}

// Specifier is how a module imports another: by alias where one fits.
func (p *Code) Specifier(from, to string) string {
	stem := strings.TrimSuffix(to, path.Ext(to))
	for _, a := range slices.Concat(p.resolve.pathsFor(from), p.resolve.aliases) {
		if a.dir != "" && a.dir != "." && !strings.HasPrefix(from, a.dir+"/") {
			continue
		}
		for _, target := range a.to {
			if base, ok := strings.CutSuffix(target, "*"); ok && !a.exact && !a.own && a.prefix != "" && a.suffix == "" && strings.HasPrefix(stem, base) {
				return a.prefix + strings.TrimPrefix(stem, base)
			}
		}
	}
	return relative(path.Dir(from), stem)
}

// relative is the path from a folder to a file, as an import names it.
func relative(dir, to string) string {
	up := ""
	for dir != "." && !strings.HasPrefix(to, dir+"/") {
		dir = path.Dir(dir)
		up += "../"
	}
	if dir != "." {
		to = strings.TrimPrefix(to, dir+"/")
	}
	if up == "" {
		up = "./"
	}
	return up + to
}

// KeepLine is the line that keeps a client: it is put in the place of what
// makes it, so that exports and names stay as they are.
func (p *Code) KeepLine(c *Client) string {
	name, call, declare := p.NameOf(c), c.Makes, "const"
	if inner, ok := strings.CutSuffix(call, "()"); ok {
		call = inner + "(…)"
	}
	if c.class != nil {
		call = "the new object"
	}
	if strings.Contains(c.Module.text, "export const "+name) {
		declare = "export const"
	}
	if c.Fate == PerRequest {
		declare = "in a module of its own: export const"
	}
	if slices.Contains([]string{".ts", ".tsx", ".mts", ".cts", ".svelte", ".vue", ".astro"}, path.Ext(c.Module.path)) {
		return fmt.Sprintf("const kept = globalThis as typeof globalThis & { %[1]s?: ReturnType<typeof make> }; const make = () => %[2]s; %[3]s %[1]s = (kept.%[1]s ??= make());", name, call, declare)
	}
	return fmt.Sprintf("%[3]s %[1]s = (globalThis.%[1]s ??= %[2]s);", name, call, declare)
}
