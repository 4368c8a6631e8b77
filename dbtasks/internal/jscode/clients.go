package jscode

import (
	"path"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// Client is one place that makes a client or pool.
type Client struct {
	*site
	*Driver
	Module *Module
	Role   Role
	Limit  Limit
	Fate   Fate
	class  *class // a class of the project's own that extends the driver's

	holders []ast.Node // classes whose objects hold it
}

// Role is what the file of a client is there for.
type Role int

const (
	App    Role = iota // it is evaluated by the dev server
	Test               // it is evaluated by a test runner's worker
	Script             // it is run by itself, as a seed is, and ends
)

// findClients finds every place that makes a client.
func (p *Code) findClients() []*Client {
	var list []*Client
	p.each(func(m *Module) {
		if !p.makers[m] {
			return
		}
		for _, s := range m.sites {
			if d := p.makerAt(s); d != nil && p.isPostgres(d, s) && p.connects(d, s) {
				list = append(list, &Client{site: s, Driver: d, Module: m, Role: p.roleOf(m), class: p.classAt(s)})
			}
		}
	})
	// A service that extends a client: who makes it is the framework.
	p.each(func(m *Module) {
		for _, c := range m.classes {
			if !p.makers[m] || c.node.SuperClass == nil {
				continue
			}
			d := p.makerOf(Expr{c.node.SuperClass, c.scope.parent}, true, 0)
			if d == nil || !p.isService(m, c) {
				continue
			}
			s := &site{Expr: Expr{c.node, c.scope.parent}, callee: c.node.SuperClass, isNew: true, stack: c.stack}
			list = append(list, &Client{site: s, Driver: d, Module: m, Role: p.roleOf(m), class: c})
		}
	})
	slices.SortStableFunc(list, func(a, b *Client) int {
		if n := strings.Compare(a.Module.path, b.Module.path); n != 0 {
			return n
		}
		return int(a.node.Idx0()) - int(b.node.Idx0())
	})
	return p.wholes(list)
}

// isService tells a class that a framework makes an object of, by its decorator.
func (p *Code) isService(m *Module, c *class) bool {
	for _, s := range m.sites {
		if !strings.HasPrefix(lastName(s.callee), "__decorateClass") {
			continue
		}
		for _, arg := range s.args {
			if _, ok := arg.(*ast.Identifier); ok && slices.ContainsFunc(p.values(Expr{arg, s.scope}), func(v value) bool { return v.node == ast.Node(c.node) }) {
				return true
			}
		}
	}
	return false
}

func (s *scope) lookupDefs(name string) []def {
	if b := s.lookup(name); b != nil {
		return b.defs
	}
	return nil
}

// makerAt is the driver of which a call or new makes a client; nil: none.
func (p *Code) makerAt(s *site) *Driver {
	if d := p.makerOf(Expr{s.callee, s.scope}, s.isNew, 0); d != nil {
		return d
	}
	if d := p.handedOn(s); d != nil {
		return d
	}
	if name, of := memberOf(s.callee); name == "SQL" && isName(of, "Bun") && s.scope.lookup("Bun") == nil {
		return rowOf(value{pkg: "bun", name: name}, func(*Driver) bool { return true })
	}
	if s.isNew || len(s.args) == 0 || lastName(s.callee) != "register" {
		return nil
	}
	for _, v := range p.values(Expr{s.args[0], s.scope}) {
		if d := rowOf(v, func(d *Driver) bool { return d.Call == Handed }); d != nil {
			return d
		}
	}
	return nil
}

// classAt is the project's own class of which a new makes an object.
func (p *Code) classAt(s *site) *class {
	if !s.isNew {
		return nil
	}
	for _, v := range p.values(Expr{s.callee, s.scope}) {
		if n, ok := v.node.(*ast.ClassLiteral); ok {
			return v.scope.mod.classes[n]
		}
	}
	return nil
}

// isPostgres is false where the options name another database.
func (p *Code) isPostgres(d *Driver, s *site) bool {
	if d == prisma && p.Options.PrismaProvider != nil {
		provider := p.Options.PrismaProvider(s.scope.mod.path)
		return provider == "" || strings.HasPrefix(provider, "postgres") || provider == "cockroachdb"
	}
	if d.Dialect == "" {
		return true
	}
	for _, options := range p.optionsOf(s, nil) {
		for _, v := range p.values(p.propertyAt(options, d.Dialect)) {
			name := strings.ToLower(v.name)
			if text, ok := stringOf(v.node); ok {
				name = strings.ToLower(text)
			}
			if name == "" || v.pkg != "" && !strings.Contains(name, "driver") {
				continue
			}
			if !strings.Contains(name, "pg") && !strings.Contains(name, "postgre") && !strings.Contains(name, "cockroach") && !strings.Contains(name, "redshift") {
				return false
			}
		}
	}
	return true
}

// connects tells whether a mapper is given an address, so that it makes a pool
// of its own, and not a client that is there.
func (p *Code) connects(d *Driver, s *site) bool {
	if d.Within == "" {
		return true
	}
	if len(s.args) == 0 {
		return d.Keeps
	}
	found := p.values(Expr{s.args[0], s.scope})
	for _, v := range found {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			connection, _ := p.property(n, v.scope, d.Within)
			return connection.node != nil
		case *ast.CallExpression:
			if p.makerOf(Expr{n.Callee, v.scope}, false, 0) != nil {
				return false
			}
		case *ast.NewExpression, *ast.ClassLiteral:
			return false
		case *ast.StringLiteral, *ast.TemplateLiteral:
			return true
		}
		if v.pkg != "" && !isAddress(s.args[0]) {
			return false
		}
	}
	return p.isAddress(Expr{s.args[0], s.scope}, 3) || slices.ContainsFunc(found, func(v value) bool { return v.node != nil && isAddress(v.node) })
}

// isAddress tells whether e, or what its variable is made of, is the address of
// a database.
func (p *Code) isAddress(e Expr, depth int) bool {
	if isAddress(e.node) {
		return true
	}
	id, ok := e.node.(*ast.Identifier)
	return ok && depth > 0 && slices.ContainsFunc(e.scope.lookupDefs(id.Name.String()), func(d def) bool { return p.isAddress(d.value, depth-1) })
}

// isAddress tells by its names whether an expression is the address of a
// database: process.env.DATABASE_URL, config.databaseUrl.
func isAddress(n ast.Node) bool {
	return anywhere(n, func(n ast.Node) bool {
		name := ""
		if id, ok := n.(*ast.Identifier); ok {
			name = id.Name.String()
		} else if member, of := memberOf(n); of != nil {
			name = member
		}
		if name == "env" {
			return true
		}
		name = strings.ToLower(strings.ReplaceAll(name, "_", ""))
		return strings.HasSuffix(name, "url") || strings.HasSuffix(name, "uri") || strings.HasSuffix(name, "dsn") || strings.HasSuffix(name, "connectionstring")
	})
}

// wholes drops a pool that is handed to Prisma's adapter, or to another client:
// its place and limit are looked at as the whole's.
func (p *Code) wholes(list []*Client) []*Client {
	return slices.DeleteFunc(slices.Clone(list), func(part *Client) bool {
		return slices.ContainsFunc(list, func(whole *Client) bool {
			if whole == part || whole.Driver != prisma {
				return false
			}
			return slices.Contains(p.partsOf(whole), part.node)
		})
	})
}

// partsOf are the pools that Prisma's adapter is given.
func (p *Code) partsOf(whole *Client) []ast.Node {
	var list []ast.Node
	for _, adapter := range p.adaptersOf(whole) {
		if made, ok := adapter.node.(*ast.NewExpression); ok && len(made.ArgumentList) > 0 {
			for _, v := range p.values(Expr{made.ArgumentList[0], adapter.scope}) {
				if _, ok := v.node.(*ast.NewExpression); ok {
					list = append(list, v.node)
				}
			}
		}
	}
	return list
}

// roleOf tells by where a file lies and who imports it.
func (p *Code) roleOf(m *Module) Role {
	if IsTest(m.path) {
		return Test
	}
	imported := slices.ContainsFunc(p.importers[m], func(other *Module) bool { return !IsTest(other.path) && !p.isScript(other) })
	if !imported && p.isScript(m) {
		return Script
	}
	return App
}

// isScript tells a file that is run by itself and ends.
func (p *Code) isScript(m *Module) bool {
	base := strings.TrimSuffix(path.Base(m.path), path.Ext(m.path))
	if p.Options.RunByScript != nil && p.Options.RunByScript(m.path) || base == "seed" || strings.HasPrefix(base, "seed-") || strings.HasPrefix(base, "seed.") {
		return true
	}
	for dir := path.Dir(m.path); dir != "." && !p.resolve.files[dir+"/package.json"]; dir = path.Dir(dir) {
		switch strings.TrimPrefix(path.Base(dir), ".") {
		case "prisma": // beside package.json; src/prisma is a module of the app
			if above := path.Dir(dir); above == "." || p.resolve.files[above+"/package.json"] {
				return true
			}
		case "scripts", "migrations", "migration", "seeds", "seed", "seeders", "bin", "tools":
			return true
		}
	}
	return false
}

// IsTest tells by the names that the test runners look for.
func IsTest(file string) bool {
	base := path.Base(file)
	for _, mark := range []string{".test.", ".spec.", ".e2e.", ".e2e-spec."} {
		if strings.Contains(base, mark) {
			return true
		}
	}
	dirs := strings.Split(path.Dir(file), "/")
	for i, dir := range dirs {
		// test and tests only at the top of a package: src/routes/test may be a page.
		top := i == 0 || i > 0 && (dirs[i-1] == "src" && i == 1) || i == 2 && slices.Contains([]string{"apps", "packages"}, dirs[0])
		if dir == "__tests__" || dir == "__mocks__" || top && slices.Contains([]string{"test", "tests", "e2e", "cypress", "playwright", "integration"}, dir) {
			return true
		}
	}
	stem := strings.TrimSuffix(base, path.Ext(base))
	return strings.HasPrefix(stem, "vitest.setup") || strings.HasPrefix(stem, "vitest-setup") || strings.HasPrefix(stem, "jest.setup")
}

// IsConfig tells whether a file is a tool's settings.
func IsConfig(file string) bool {
	base := path.Base(file)
	return IsCode(file) && strings.Contains(base, ".config.") && !strings.HasPrefix(base, ".config.")
}

// makes tells whether e may come to the client c.
func (p *Code) makes(e Expr, c *Client) bool {
	return slices.ContainsFunc(p.values(e), func(v value) bool { return v.node == c.node })
}
