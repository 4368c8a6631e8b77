package checklist

import (
	"path"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// kind is what makes connections.
type kind string

const (
	kindPrisma   kind = "new PrismaClient()"
	kindPool     kind = "new Pool()"
	kindClient   kind = "new Client()"
	kindPostgres kind = "postgres()"
	kindDrizzle  kind = "drizzle()"
)

// client is one place that makes a client or pool.
type client struct {
	*site
	kind   kind
	module *module
	role   role
	limit  limit
}

// role is what the file of a client is there for.
type role int

const (
	roleApp    role = iota // it is evaluated by the dev server
	roleTest               // it is evaluated by a test runner's worker
	roleScript             // it is run by itself, as a seed is, and ends
)

// packages are the packages that connect to PostgreSQL, as far as this checklist reads them.
var packages = []string{"@prisma/client", "@prisma/adapter-pg", "pg", "postgres", "drizzle-orm", "@neondatabase/serverless"}

// reachesDatabase tells whether an import of spec may bring a client: one of
// the packages, or a file outside of the project, which may be Prisma's
// generated client.
func reachesDatabase(spec string) bool {
	return strings.HasPrefix(spec, "./") && path.Base(spec) != "$types" || strings.HasPrefix(spec, ".prisma") ||
		slices.ContainsFunc(packages, func(name string) bool { return isPackage(spec, name) })
}

// maker is what a value makes when it is called, or with new.
func (p *project) maker(v value, isNew bool) (kind, bool) {
	if class, ok := v.node.(*ast.ClassLiteral); ok && class.SuperClass != nil && isNew {
		for _, super := range p.values(expr{class.SuperClass, v.scope}) {
			if k, ok := p.maker(super, isNew); ok {
				return k, true
			}
		}
		return "", false
	}
	exported := v.name[strings.LastIndexByte(v.name, '.')+1:] // pg.native.Pool
	switch {
	case v.pkg == "":
		return "", false
	case isNew && exported == "PrismaClient" && (isPackage(v.pkg, "@prisma/client") || strings.HasPrefix(v.pkg, "./") || strings.Contains(v.pkg, "prisma")):
		return kindPrisma, true
	case isPackage(v.pkg, "pg") || isPackage(v.pkg, "@neondatabase/serverless"):
		switch {
		case exported == "Pool" || v.pkg == "pg-pool":
			return kindPool, true
		case exported == "Client" && isNew:
			return kindClient, true
		}
	case !isNew && v.pkg == "postgres" && (exported == "*" || exported == "default"):
		return kindPostgres, true
	case !isNew && isPackage(v.pkg, "drizzle-orm") && exported == "drizzle" && drizzleDriver(v.pkg) != "":
		return kindDrizzle, true
	}
	return "", false
}

// drizzleDriver is the package under a drizzle() of this module.
func drizzleDriver(spec string) string {
	switch spec {
	case "drizzle-orm/node-postgres":
		return "pg"
	case "drizzle-orm/postgres-js":
		return "postgres"
	}
	return ""
}

// isAdapter tells whether a value is Prisma's adapter for node-postgres.
func isAdapter(v value) bool {
	return isPackage(v.pkg, "@prisma/adapter-pg") && (v.name == "PrismaPg" || v.name == "PrismaPgAdapterFactory")
}

// clients finds every place that makes a client.
func (p *project) clients(scripts map[string]bool) []*client {
	var list []*client
	p.each(func(m *module) {
		if isConfig(m.path) {
			return
		}
		for _, s := range m.sites {
			for _, v := range p.values(expr{s.callee, s.scope}) {
				k, ok := p.maker(v, s.isNew)
				if ok && (k != kindDrizzle || p.drizzleConnects(s)) {
					list = append(list, &client{site: s, kind: k, module: m, role: p.roleOf(m, scripts)})
					break
				}
			}
		}
	})
	return list
}

// drizzleConnects tells whether drizzle() is given an address, so that it makes
// a pool of its own, and not a client.
func (p *project) drizzleConnects(s *site) bool {
	if len(s.args) == 0 {
		return false
	}
	for _, v := range p.values(expr{s.args[0], s.scope}) {
		switch n := v.node.(type) {
		case *ast.StringLiteral, *ast.TemplateLiteral, *ast.DotExpression:
			return true
		case *ast.ObjectLiteral:
			connection, _ := p.property(n, v.scope, "connection")
			return connection.node != nil
		case *ast.CallExpression, *ast.NewExpression:
			return false
		}
	}
	// process.env.DATABASE_URL! as an argument has no value that could be told.
	return mentionsEnvironment(s.args[0])
}

// mentionsEnvironment tells whether an expression reads the environment.
func mentionsEnvironment(n ast.Node) bool {
	return anywhere(n, func(n ast.Node) bool {
		name, of := memberOf(n)
		return of != nil && (name == "env" || strings.HasSuffix(name, "DATABASE_URL")) || isName(n, "DATABASE_URL") || isName(n, "env")
	})
}

// roleOf tells by where a file lies and who imports it.
func (p *project) roleOf(m *module, scripts map[string]bool) role {
	if isTest(m.path) {
		return roleTest
	}
	imported := false
	p.each(func(other *module) {
		for _, i := range other.imports {
			imported = imported || i.target == m && !isTest(other.path)
		}
	})
	first, _, _ := strings.Cut(m.path, "/")
	base := strings.TrimSuffix(path.Base(m.path), path.Ext(m.path))
	if !imported && (scripts[m.path] || first == "scripts" || first == "prisma" || base == "seed") {
		return roleScript
	}
	return roleApp
}

// isTest tells by the names that the test runners look for.
func isTest(file string) bool {
	base := path.Base(file)
	for _, mark := range []string{".test.", ".spec.", ".e2e."} {
		if strings.Contains(base, mark) {
			return true
		}
	}
	// Only at the top: src/routes/test may be a page.
	for i, dir := range strings.Split(strings.TrimPrefix(path.Dir(file), "src/"), "/") {
		if dir == "__tests__" || i == 0 && slices.Contains([]string{"test", "tests", "e2e", "cypress"}, dir) {
			return true
		}
	}
	stem := strings.TrimSuffix(base, path.Ext(base))
	return strings.HasPrefix(stem, "vitest.setup") || strings.HasPrefix(stem, "vitest-setup") || strings.HasPrefix(stem, "jest.setup")
}

// isConfig tells whether a file is a tool's settings.
func isConfig(file string) bool {
	base := path.Base(file)
	return isCode(file) && strings.Contains(base, ".config.") && !strings.HasPrefix(base, ".config.")
}

// makes tells whether e may come to the client c.
func (p *project) makes(e expr, c *client) bool {
	return slices.ContainsFunc(p.values(e), func(v value) bool { return v.node == c.node })
}
