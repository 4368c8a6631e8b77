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
	var found []string
	gives := map[string]bool{}
	for name, e := range c.Module.exports {
		if p.holds(e, c, 0) {
			found = append(found, name)
			gives[name] = slices.ContainsFunc(p.values(e), func(v value) bool { return p.functionOf(v) != nil })
		}
	}
	if len(found) == 0 {
		return "", false
	}
	slices.Sort(found)
	if found[0] == "default" && len(found) > 1 {
		return found[1], gives[found[1]]
	}
	return found[0], gives[found[0]]
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
