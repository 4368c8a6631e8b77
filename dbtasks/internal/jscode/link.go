package jscode

import (
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja/ast"
)

// link finds who imports whom by the bytes alone, and parses the modules that
// may make a client: those that import a driver's package and name what makes
// one, and those that import it from them. The rest is parsed only where
// something that matters leads to it.
func (p *Code) link() {
	p.importers = map[*Module][]*Module{}
	packages := map[*Module][]string{}
	for _, name := range p.order {
		m := p.modules[name]
		for _, spec := range m.specs {
			if target, pkg := p.resolveFrom(m, spec); target != nil {
				p.importers[target] = append(p.importers[target], m)
			} else {
				packages[m] = append(packages[m], pkg)
			}
		}
	}
	var wave []*Module
	for _, name := range p.order {
		m := p.modules[name]
		if slices.ContainsFunc(packages[m], func(pkg string) bool { return p.mayMake(pkg, m.text) }) || strings.Contains(m.text, "Bun.SQL") || namesHanded(m.text) {
			wave = append(wave, m)
			p.makers[m] = true
		}
	}
	for depth := 0; len(wave) > 0 && depth < 6; depth++ {
		p.parseAll(wave)
		var next []*Module
		for _, m := range wave {
			if m.scope == nil {
				continue
			}
			names := p.passesOn(m, 0)
			for _, importer := range p.importers[m] {
				if !p.makers[importer] && (len(names) > 0 && strings.Contains(importer.text, "export *") || slices.ContainsFunc(names, func(name string) bool { return strings.Contains(importer.text, name) })) {
					p.makers[importer] = true
					next = append(next, importer)
				}
			}
		}
		wave = next
	}
}

// parseAll parses several modules at once.
func (p *Code) parseAll(list []*Module) {
	var todo []*Module
	for _, m := range list {
		if m.scope != nil || m.failed != nil || slices.Contains(todo, m) {
			continue
		}
		if p.parsed += len(m.text); p.parsed > maxParsed {
			p.overrun[m] = true
			continue
		}
		todo = append(todo, m)
	}
	onEveryCore(p.ctx, todo, func(m *Module) {
		if time.Now().Before(p.until) {
			m.read()
		}
	})
	for _, m := range todo {
		if m.scope == nil && m.failed == nil {
			p.overrun[m] = true
		}
		p.linkImports(m)
	}
}

// mayMake tells whether a module that imports a package may make a client of
// it: its text has a name by which the maker is exported, or passes all of the
// package on.
func (p *Code) mayMake(pkg, text string) bool {
	names := p.makerNames(pkg)
	return slices.ContainsFunc(names, func(name string) bool { return name == "default" || strings.Contains(text, name) }) ||
		len(names) > 0 && (strings.Contains(text, "export *") || strings.Contains(text, "module.exports = require"))
}

// makerNames are the names by which a package may export what makes clients.
func (p *Code) makerNames(pkg string) []string {
	var names []string
	if strings.HasPrefix(pkg, "./") && !strings.HasSuffix(pkg, "/$types") || strings.HasPrefix(pkg, ".prisma") || strings.Contains(pkg, "prisma") || p.resolve.isOwnPackage(pkg) {
		names = append(names, "PrismaClient")
	}
	for _, d := range drivers {
		if !slices.ContainsFunc(d.Packages, func(name string) bool { return pkg == name || !d.Exact && isPackage(pkg, name) }) {
			continue
		}
		for _, name := range d.Exports {
			name, _, _ = strings.Cut(name, ".")
			if name != "default" || pkg != "pg" {
				names = append(names, name)
			}
		}
	}
	return names
}

// passesOn are the words by which modules that import m may have what makes
// clients, and not only clients: a class, a maker of a package.
func (p *Code) passesOn(m *Module, depth int) []string {
	var names []string
	for _, star := range m.stars {
		for _, v := range p.values(star) {
			if v.module != nil && v.module != m && depth < 4 && v.module.scope != nil {
				names = append(names, p.passesOn(v.module, depth+1)...)
			} else if v.pkg != "" {
				names = append(names, p.makerNames(v.pkg)...)
			}
		}
	}
	for name, e := range m.exports {
		word := name
		if name == "default" {
			word = "import"
		}
		for _, v := range p.values(e) {
			switch {
			case p.maker(v, true, 0) != nil || p.maker(v, false, 0) != nil:
				names = append(names, word)
			case v.pkg != "" && v.name == "*" && len(p.makerNames(v.pkg)) > 0:
				names = append(names, word)
			}
			object, ok := v.node.(*ast.ObjectLiteral)
			if !ok || len(object.Value) > 50 {
				continue
			}
			for _, prop := range object.Value {
				keyed, ok := prop.(*ast.PropertyKeyed)
				if ok && (p.makerOf(Expr{keyed.Value, v.scope}, true, 0) != nil || p.makerOf(Expr{keyed.Value, v.scope}, false, 0) != nil) {
					names = append(names, word)
				}
			}
		}
	}
	return names
}

// maxCallers is from how many calls a parameter takes its values: a helper for
// clients has few, and one that everybody calls would take long to follow.
const maxCallers = 24

// bindParameters gives the parameters of functions what they are called with:
// listen(pool) makes the pool a value of its parameter. The calls that count
// are those of the modules that make clients, of the functions in which clients
// are made, those that are handed a client, and, once more, those of the
// helpers that all these lead to.
func (p *Code) bindParameters() {
	type binding struct {
		fn   *function
		args []ast.Expression
		at   *scope
	}
	home, words, handed := map[*Module]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range p.Clients {
		home[c.Module] = true
		for i := range c.stack {
			if fn, at := enclosing(c.stack[:i+1]); fn != nil {
				for _, name := range p.namesOf(fn, c.stack[:at], c.scope) {
					words[name] = true
				}
			}
		}
		for name := range c.Module.exports {
			handed[name] = true
		}
		handed[p.NameOf(c)] = true
		p.holdersOf(c.site, 0, func(names []string, _ *class) {
			for _, name := range names {
				words[name], handed[name] = true, true
			}
		})
	}
	done := map[*site]bool{}
	before := map[*Module]bool{}
	for round := range 2 {
		var calls []binding // bound together at the end: nothing changes while it is followed
		parsed := p.Modules()
		for _, m := range parsed {
			all := home[m] || round > 0 && m.helper && !before[m]
			making := map[ast.Node]bool{} // functions in which something is called that makes a client
			for _, s := range m.sites {
				if words[lastName(s.callee)] {
					for _, n := range s.stack {
						making[n] = true
					}
				}
			}
			for _, s := range m.sites {
				if p.stopped || done[s] || !all && !words[lastName(s.callee)] && !slices.ContainsFunc(s.args, func(e ast.Expression) bool { return handed[lastName(e)] || making[e] }) || !slices.ContainsFunc(s.args, mayCarry) {
					continue
				}
				done[s] = true
				for _, v := range p.values(Expr{s.callee, s.scope}) {
					fn := p.functionOf(v)
					if class, ok := v.node.(*ast.ClassLiteral); ok && s.isNew && v.scope != nil && v.scope.mod != nil {
						fn = v.scope.mod.classes[class].build
					}
					if fn != nil {
						calls = append(calls, binding{fn, s.args, s.scope})
					}
				}
			}
		}
		for _, m := range parsed {
			before[m] = true
		}
		for _, c := range calls {
			for i, target := range c.fn.params {
				if i >= len(c.args) {
					break
				}
				targets(target, nil, func(name string, keys []string) {
					if b := c.fn.scope.names[name]; b != nil && len(b.defs) < maxCallers {
						b.defs = append(b.defs, def{Expr{c.args[i], c.at}, keys})
					}
				})
			}
		}
		p.forget()
	}
}

// mayCarry tells an argument that could be a client, or a function that makes one.
func mayCarry(n ast.Expression) bool {
	switch n.(type) {
	case *ast.StringLiteral, *ast.NumberLiteral, *ast.BooleanLiteral, *ast.TemplateLiteral, *ast.RegExpLiteral, *ast.NullLiteral:
		return false
	}
	return true
}

// parseCallers parses the modules that import one that makes a client, where
// they may keep it, call what makes it, hear its errors or close it.
func (p *Code) parseCallers() {
	var list []*Module
	for _, c := range p.Clients {
		var words []string // by which what makes the client is called elsewhere
		for i := range c.stack {
			if fn, at := enclosing(c.stack[:i+1]); fn != nil {
				words = append(words, p.namesOf(fn, c.stack[:at], c.scope)...)
			}
		}
		depth := map[*Module]int{c.Module: 0}
		for todo := []*Module{c.Module}; len(todo) > 0; todo = todo[1:] {
			m := todo[0]
			for _, importer := range p.importers[m] {
				if _, been := depth[importer]; been || depth[m] > 3 || len(list) > 300 {
					continue
				}
				depth[importer] = depth[m] + 1
				todo = append(todo, importer)
				calls := depth[importer] <= 2 && slices.ContainsFunc(words, func(word string) bool { return strings.Contains(importer.text, word+"(") || word == "default" })
				if importer.scope == nil && (calls || touches(importer.text)) && !slices.Contains(list, importer) {
					list = append(list, importer)
				}
			}
		}
	}
	p.parseAll(list)
}

// touches tells by its words whether a module may hear a client's errors, close
// it, or keep it.
func touches(text string) bool {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	return has("globalThis.", "global.") || has("$disconnect", ".end(", ".destroy(", "close(", ".on(", "addListener(") &&
		has("$disconnect", "'error'", `"error"`, "'close'", `"close"`, "SIGTERM", "SIGINT", "beforeExit", "onClose", "onModuleDestroy", "hutdown", "erminus", "lose-with-grace", "exit-hook", "dispose")
}
