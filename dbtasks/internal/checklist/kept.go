package checklist

import (
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// origins are where a client comes into being: its own site, and every call of
// a function that gives it.
func (p *project) origins(c *client) []*site {
	list := []*site{c.site}
	p.each(func(m *module) {
		for _, s := range m.sites {
			if s != c.site && !s.isNew && p.makes(s.expr, c) {
				list = append(list, s)
			}
		}
	})
	return list
}

// survival is whether a client outlives the evaluation of its module.
type survival struct {
	kept   bool
	stored bool // it is put on globalThis, and not taken from there
}

// survives tells whether a client is kept on globalThis: it is assigned to a
// member of the global object, and is only made where that member was looked
// at first. A client that is stored and never looked for leaks all the same.
func (p *project) survives(c *client) survival {
	origins := p.origins(c)
	for _, o := range origins {
		if p.remembered(o) {
			return survival{kept: true}
		}
	}
	var result survival
	for name, assigns := range p.globals {
		for _, a := range assigns {
			if inProduction(a.stack, a.right.node) || !p.makes(a.right, c) && !contains(c.stack, a.right.node) {
				continue
			}
			result.stored = true
			for _, o := range origins {
				if p.guarded(o, name) {
					return survival{kept: true}
				}
			}
			// if (production) prisma = new PrismaClient(); else { globalThis.prisma … }
			if p.otherBranch(c, a) {
				return survival{kept: true}
			}
		}
	}
	for _, assigns := range p.globals {
		for _, a := range assigns {
			if p.otherBranch(c, a) {
				return survival{kept: true}
			}
		}
	}
	return result
}

// guarded tells whether a site stands where the global member name was looked at.
func (p *project) guarded(s *site, name string) bool {
	reads := func(n ast.Node) bool { return n != nil && p.readsGlobal(expr{n, s.scope}, name) }
	for i, n := range s.stack {
		switch n := n.(type) {
		case *ast.AssignExpression:
			if isLogical(n.Operator) && reads(n.Left) {
				return true
			}
		case *ast.BinaryExpression:
			if isLogical(n.Operator) && reads(n.Left) {
				return true
			}
		case *ast.ConditionalExpression:
			if reads(n.Test) || reads(n.Consequent) || reads(n.Alternate) {
				return true
			}
		case *ast.IfStatement:
			if reads(n.Test) {
				return true
			}
		case *ast.BlockStatement:
			if i+1 < len(s.stack) && returnsBefore(n.List, s.stack[i+1], reads) {
				return true
			}
		}
	}
	return false
}

// returnsBefore tells whether a statement before next returns what reads finds:
// if (globalThis.prisma) return globalThis.prisma.
func returnsBefore(list []ast.Statement, next ast.Node, reads func(ast.Node) bool) bool {
	for _, s := range list {
		if ast.Node(s) == next {
			return false
		}
		if cond, ok := s.(*ast.IfStatement); ok && reads(cond.Test) && anywhere(cond.Consequent, func(n ast.Node) bool {
			_, ok := n.(*ast.ReturnStatement)
			return ok
		}) {
			return true
		}
	}
	return false
}

// readsGlobal tells whether the global member name is read in e, also by way
// of a variable.
func (p *project) readsGlobal(e expr, name string) bool {
	return anywhere(e.node, func(n ast.Node) bool {
		if member, ok := globalMember(expr{n, e.scope}); ok {
			return member == name
		}
		id, ok := n.(*ast.Identifier)
		if !ok {
			return false
		}
		b := e.scope.lookup(id.Name.String())
		if b == nil {
			return false
		}
		for _, d := range b.defs {
			if member, ok := globalMember(d.value); ok && member == name {
				return true
			}
			if len(d.keys) == 1 && d.keys[0] == name && isGlobal(d.value) {
				return true
			}
		}
		return false
	})
}

// remembered tells whether a client is made by a function that is handed to a
// helper which keeps things on globalThis: singleton("prisma", () => new PrismaClient()).
func (p *project) remembered(s *site) bool {
	for i := 1; i < len(s.stack); i++ {
		switch s.stack[i].(type) {
		case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		default:
			continue
		}
		call, ok := s.stack[i-1].(*ast.CallExpression)
		if !ok {
			continue
		}
		for _, v := range p.values(expr{call.Callee, s.scope}) {
			if isPackage(v.pkg, "@epic-web/remember") {
				return true
			}
			if p.functionOf(v) != nil && p.keepsGlobally(v.node) {
				return true
			}
		}
	}
	return false
}

func (p *project) keepsGlobally(fn ast.Node) bool {
	for name, assigns := range p.globals {
		for _, a := range assigns {
			if strings.Contains(name, "?") && contains(a.stack, fn) { // a helper takes the name as an argument
				return true
			}
		}
	}
	return false
}

func contains(stack []ast.Node, n ast.Node) bool {
	for _, s := range stack {
		if s == n {
			return true
		}
	}
	return false
}

// otherBranch tells whether a client is made in the branch for production of
// the if whose other branch keeps one.
func (p *project) otherBranch(c *client, a assign) bool {
	for i, n := range c.stack {
		cond, ok := n.(*ast.IfStatement)
		if !ok || cond.Alternate == nil || i+1 >= len(c.stack) || !contains(a.stack, cond) || !mentionsProduction(cond.Test) {
			continue
		}
		mine, other := ast.Node(cond.Consequent), ast.Node(cond.Alternate)
		if c.stack[i+1] == other {
			mine, other = other, mine
		}
		if c.stack[i+1] == mine && contains(a.stack, other) {
			return true
		}
	}
	return false
}

func mentionsProduction(n ast.Node) bool {
	return anywhere(n, func(n ast.Node) bool {
		if text, ok := stringOf(n); ok {
			return text == "production" || text == "development"
		}
		name, of := memberOf(n)
		return of != nil && (name == "NODE_ENV" || name == "PROD" || name == "DEV") || isName(n, "dev") || isName(n, "building")
	})
}

// inProduction tells whether n is reached in production only, which is where
// nothing reloads: the condition the wrong way round.
func inProduction(stack []ast.Node, n ast.Node) bool {
	path := append(stack[:len(stack):len(stack)], n)
	for i, s := range path {
		cond, ok := s.(*ast.IfStatement)
		if !ok || i+1 >= len(path) {
			continue
		}
		test, ok := cond.Test.(*ast.BinaryExpression)
		if !ok || !mentionsProduction(test) {
			continue
		}
		isProduction := anywhere(test, func(n ast.Node) bool { text, _ := stringOf(n); return text == "production" })
		equal := test.Operator == token.STRICT_EQUAL || test.Operator == token.EQUAL
		unequal := test.Operator == token.STRICT_NOT_EQUAL || test.Operator == token.NOT_EQUAL
		inThen := path[i+1] == ast.Node(cond.Consequent)
		if isProduction && (equal && inThen || unequal && !inThen) {
			return true
		}
	}
	return false
}
