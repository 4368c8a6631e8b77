package checklist

import (
	"path"
	"sort"
	"strings"

	"github.com/dop251/goja/ast"
)

// toolConfig is the settings object of a tool's config file, or the several
// that are merged in it.
type toolConfig struct {
	p       *project
	module  *module
	objects []value
}

// config finds a tool's config file in the root: "vite.config" is vite.config.ts
// or any other extension. Nil when there is none.
func (p *project) config(stem string) *toolConfig {
	for _, name := range p.paths {
		m := p.modules[name]
		if path.Dir(name) != "." || strings.TrimSuffix(name, path.Ext(name)) != stem || m.scope == nil {
			continue
		}
		t := &toolConfig{p: p, module: m}
		if e, ok := m.exports["default"]; ok {
			t.collect(e, 0)
		}
		return t
	}
	return nil
}

// collect follows a default export to its object: defineConfig({…}),
// defineConfig(({ mode }) => ({…})), mergeConfig(a, {…}).
func (t *toolConfig) collect(e expr, depth int) {
	if depth > 5 {
		return
	}
	for _, v := range t.p.values(e) {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			t.objects = append(t.objects, v)
		case *ast.CallExpression:
			for _, arg := range n.ArgumentList {
				t.collect(expr{arg, v.scope}, depth+1)
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

// at is the setting below keys; its node is nil when there is none.
func (t *toolConfig) at(keys ...string) expr {
	for _, object := range t.objects {
		e := object.expr
		for _, key := range keys {
			e = t.p.propertyOf(e, key)
		}
		if e.node != nil {
			return e
		}
	}
	return expr{}
}

// hidden tells whether the setting below keys may come from something that is
// spread into the settings and can't be followed.
func (t *toolConfig) hidden(keys ...string) bool {
	for _, object := range t.objects {
		e := object.expr
		for _, key := range keys {
			var next expr
			for _, v := range t.p.values(e) {
				o, ok := v.node.(*ast.ObjectLiteral)
				if !ok {
					return true
				}
				found, sure := t.p.property(o, v.scope, key)
				if !sure {
					return true
				}
				if found.node != nil {
					next = found
				}
			}
			if next.node == nil {
				break
			}
			e = next
		}
	}
	return false
}

// propertyOf is a property of what e may come to.
func (p *project) propertyOf(e expr, key string) expr {
	if e.node == nil {
		return expr{}
	}
	for _, v := range p.values(e) {
		if object, ok := v.node.(*ast.ObjectLiteral); ok {
			if found, _ := p.property(object, v.scope, key); found.node != nil {
				return found
			}
		}
	}
	return expr{}
}

// list is every string in a setting that is a list or one string, and whether
// it has others that can't be told.
func (p *project) list(e expr) (texts []string, others bool) {
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
				more, unknown := p.list(expr{element, v.scope})
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

// aliases are those of SvelteKit and of the config files, the longest first.
func (p *project) aliases(pkg packageFile) []alias {
	var list []alias
	svelte := p.config("svelte.config")
	if _, kit := pkg.depends("@sveltejs/kit"); kit || svelte != nil {
		lib := "src/lib"
		if svelte != nil {
			if s, ok := stringOf(svelte.at("kit", "files", "lib").node); ok {
				lib = path.Clean(s)
			}
			list = append(list, p.aliasObject(svelte.at("kit", "alias"))...)
		}
		list = append(list, both("$lib", lib)...)
	}
	for _, stem := range []string{"vite.config", "vitest.config", "electron.vite.config"} {
		if c := p.config(stem); c != nil {
			list = append(list, p.aliasObject(c.at("resolve", "alias"))...)
			for _, s := range c.module.sites { // SvelteKit's settings as its plugin's argument
				if lastName(s.callee) == "sveltekit" && len(s.args) > 0 {
					list = append(list, p.aliasObject(p.propertyOf(expr{s.args[0], s.scope}, "alias"))...)
				}
			}
		}
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
func (p *project) aliasObject(e expr) []alias {
	var list []alias
	if e.node == nil {
		return nil
	}
	for _, v := range p.values(e) {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			for _, prop := range n.Value {
				if keyed, ok := prop.(*ast.PropertyKeyed); ok {
					if to := p.folder(expr{keyed.Value, v.scope}); to != "" {
						list = append(list, both(keyOf(keyed), to)...)
					}
				}
			}
		case *ast.ArrayLiteral:
			for _, element := range n.Value {
				find, ok := stringOf(get(element, "find"))
				if to := p.folder(expr{get(element, "replacement"), v.scope}); ok && to != "" {
					list = append(list, both(find, to)...)
				}
			}
		}
	}
	return list
}

// folder is the path that an expression's literal parts make.
func (p *project) folder(e expr) string {
	if e.node == nil {
		return ""
	}
	for _, v := range p.values(e) {
		parts := ""
		anywhere(v.node, func(n ast.Node) bool {
			if s, ok := stringOf(n); ok {
				if rel := strings.TrimPrefix(s, p.root+"/"); rel != s {
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
