package jscode

import (
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/dop251/goja/ast"
)

// Config is the settings object of a tool's config file, or the several that
// are merged in it.
type Config struct {
	Module  *Module
	p       *Code
	objects []value
}

// Config finds a tool's config file in a folder ("." is the root):
// "vite.config" is vite.config.ts or any other extension. Nil when there is none.
func (p *Code) Config(dir, stem string) *Config {
	for _, name := range p.order {
		m := p.modules[name]
		if path.Dir(name) != dir || strings.TrimSuffix(path.Base(name), path.Ext(name)) != stem {
			continue
		}
		if p.parse(m); m.scope == nil {
			continue
		}
		t := &Config{p: p, Module: m}
		if e, ok := m.exports["default"]; ok {
			t.collect(e, 0)
		}
		return t
	}
	return nil
}

// NoConfig stands for a config file that is not there.
func (p *Code) NoConfig(file string) *Config { return &Config{p: p, Module: &Module{path: file}} }

// Followed tells whether a settings object was found at all.
func (t *Config) Followed() bool { return len(t.objects) > 0 }

// collect follows a default export to its object: defineConfig({…}),
// defineConfig(({ mode }) => ({…})), mergeConfig(a, {…}).
func (t *Config) collect(e Expr, depth int) {
	if depth > 5 {
		return
	}
	for _, v := range t.p.values(e) {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			t.objects = append(t.objects, v)
		case *ast.CallExpression:
			for _, arg := range n.ArgumentList {
				t.collect(Expr{arg, v.scope}, depth+1)
			}
		case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
			if fn := t.p.functionOf(v); fn != nil {
				for _, r := range fn.returns {
					t.collect(r, depth+1)
				}
			}
		}
	}
}

// At is the setting below keys; not Found when there is none.
func (t *Config) At(keys ...string) Expr {
	for _, object := range t.objects {
		if e := t.p.propertyAt(object.Expr, keys...); e.node != nil {
			return e
		}
	}
	return Expr{}
}

// Hidden tells whether the setting below keys may come from something that is
// spread into the settings and can't be followed.
func (t *Config) Hidden(keys ...string) bool {
	return slices.ContainsFunc(t.objects, func(object value) bool {
		e, sure := t.p.at(object.Expr, keys)
		return e.node == nil && !sure
	})
}

// Place is where a setting is, or its section, or the file's settings.
func (t *Config) Place(e Expr, section ...string) (string, int) {
	for _, at := range []Expr{e, t.At(section...)} {
		if at.node != nil {
			return at.Line()
		}
	}
	if len(t.objects) > 0 {
		return t.objects[0].Line()
	}
	return t.Module.path, 0
}

// Literal is one thing that a setting may be.
type Literal struct {
	Number   float64
	IsNumber bool // also of a string of digits
	Text     string
	IsText   bool
	Is       bool // the boolean true
	node     ast.Node
}

// Mentions tells whether a member of this name stands in it: process.env.PORT.
func (l Literal) Mentions(name string) bool {
	return l.node != nil && anywhere(l.node, func(n ast.Node) bool { member, of := memberOf(n); return of != nil && member == name })
}

// Literals is everything that a setting may be.
func (p *Code) Literals(e Expr) []Literal {
	var list []Literal
	for _, v := range p.values(e) {
		l := Literal{node: v.node}
		l.Number, l.IsNumber = number(v.node)
		l.Text, l.IsText = stringOf(v.node)
		is, ok := boolean(v.node)
		l.Is = is && ok
		list = append(list, l)
	}
	return list
}

// IsFalse tells whether a setting is there and is the literal false.
func (p *Code) IsFalse(e Expr) bool {
	is, ok := boolean(e.node)
	return ok && !is
}

// Strings is every string in a setting that is a list or one string, and
// whether it has others that can't be told.
func (p *Code) Strings(e Expr) (texts []string, others bool) {
	if e.node == nil {
		return nil, false
	}
	for _, v := range p.values(e) {
		switch n := v.node.(type) {
		case *ast.ArrayLiteral:
			for _, element := range n.Value {
				if spread, ok := element.(*ast.SpreadElement); ok {
					element = spread.Expression
				}
				more, unknown := p.Strings(Expr{element, v.scope})
				texts, others = append(texts, more...), others || unknown
			}
		default:
			if s, ok := stringOf(n); ok {
				texts = append(texts, s)
			} else {
				others = true
			}
		}
	}
	return texts, others
}

// aliases are those of SvelteKit and of the config files, each for the modules
// below its folder, the longest first.
func (p *Code) aliases() []alias {
	var list []alias
	for _, name := range p.order {
		m := p.modules[name]
		if m.scope == nil || !IsConfig(name) {
			continue
		}
		dir, stem := path.Dir(name), strings.TrimSuffix(path.Base(name), path.Ext(name))
		c := p.Config(dir, stem)
		var found []alias
		switch stem {
		case "svelte.config":
			found = append(found, p.aliasObject(c.At("kit", "alias"), dir)...)
			lib := "src/lib"
			if s, ok := stringOf(c.At("kit", "files", "lib").node); ok {
				lib = path.Clean(s)
			}
			found = append(found, both("$lib", path.Join(dir, lib))...)
		case "vite.config", "vitest.config", "electron.vite.config":
			found = append(found, p.aliasObject(c.At("resolve", "alias"), dir)...)
			for _, s := range m.sites { // SvelteKit's settings as its plugin's argument
				if lastName(s.callee) == "sveltekit" {
					if len(s.args) > 0 {
						found = append(found, p.aliasObject(p.propertyAt(Expr{s.args[0], s.scope}, "alias"), dir)...)
					}
					found = append(found, both("$lib", path.Join(dir, "src/lib"))...)
				}
			}
		}
		for i := range found {
			found[i].dir = dir
		}
		list = append(list, found...)
	}
	sort.SliceStable(list, func(i, j int) bool { return len(list[i].prefix) > len(list[j].prefix) })
	return list
}

// both is an alias for a folder and all below it.
func both(name, to string) []alias {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "/*"), "/")
	to = strings.TrimSuffix(strings.TrimSuffix(to, "/*"), "/")
	return []alias{{prefix: name + "/", to: []string{to + "/*"}}, {prefix: name, exact: true, to: []string{to}}}
}

// aliasObject reads { "@": "./src" }, [{ find, replacement }], and paths made
// with path.resolve or new URL from literal parts.
func (p *Code) aliasObject(e Expr, dir string) []alias {
	var list []alias
	if e.node == nil {
		return nil
	}
	for _, v := range p.values(e) {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			for _, prop := range n.Value {
				if keyed, ok := prop.(*ast.PropertyKeyed); ok {
					if to := p.Folder(Expr{keyed.Value, v.scope}); to != "" {
						list = append(list, both(keyOf(keyed), path.Join(dir, to))...)
					}
				}
			}
		case *ast.ArrayLiteral:
			for _, element := range n.Value {
				find, ok := stringOf(get(element, "find"))
				if to := p.Folder(Expr{get(element, "replacement"), v.scope}); ok && to != "" {
					list = append(list, both(find, path.Join(dir, to))...)
				}
			}
		}
	}
	return list
}

// Folder is the path that an expression's literal parts make.
func (p *Code) Folder(e Expr) string {
	if e.node == nil {
		return ""
	}
	for _, v := range p.values(e) {
		if v.node == nil {
			continue
		}
		parts := ""
		anywhere(v.node, func(n ast.Node) bool {
			if s, ok := stringOf(n); ok {
				if rel := strings.TrimPrefix(s, p.Root+"/"); rel != s {
					s = rel
				}
				parts = path.Join(parts, s)
			}
			return false
		})
		if parts != "" {
			return strings.TrimPrefix(path.Clean(parts), "/") // "/src" is Vite's for the root's src
		}
	}
	return ""
}
