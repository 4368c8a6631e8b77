package jscode

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// Limit is how many connections a client may open.
type Limit struct {
	Number   int    // 0: explicit, but not a number that could be told; or none
	Explicit bool   // it is said where the driver looks
	Unknown  string // why it can't be told; empty: it can
	Problem  string // what is wrong where it is neither
	FromURL  bool   // connection_limit of DATABASE_URL is what counts
	At       Expr   // where the options are, when they are elsewhere than the client
	Adapter  string // what of Prisma's takes the limit: "PrismaPg", "Pool"
}

// limitOf reads the pool limit of a client where its driver honours it.
func (p *Code) limitOf(c *Client) Limit {
	if c.Driver == prisma {
		return p.prismaLimit(c)
	}
	if len(c.Max) == 0 {
		return Limit{Number: 1, Explicit: true}
	}
	problem := "has no " + c.Max[0] + ": " + c.Note
	if c.Note == "" {
		problem = fmt.Sprintf("makes a pool of its own, of %d connections: it has no %s", c.Default, c.Max[0])
	}
	return p.maxOf(p.optionsOf(c.site, c.class), c.Max, problem)
}

// optionsOf are the arguments of a client; of a class of the project's own that
// extends the driver's, those of super().
func (p *Code) optionsOf(s *site, of *class) []Expr {
	args, at := s.args, s.scope
	if of != nil && of.build != nil {
		for _, inner := range of.scope.mod.sites {
			if _, ok := inner.callee.(*ast.SuperExpression); ok && slices.Contains(inner.stack, of.build.node) {
				args, at = inner.args, inner.scope
			}
		}
	}
	var list []Expr
	for _, arg := range args {
		if spread, ok := arg.(*ast.SpreadElement); ok {
			arg = spread.Expression
		}
		list = append(list, Expr{arg, at})
	}
	return list
}

// maxOf is the limit in a driver's options, which may be any of the arguments.
func (p *Code) maxOf(args []Expr, ways []string, problem string) Limit {
	unsure := false
	for _, arg := range args {
		found := p.values(arg)
		if len(found) == 0 && !p.isAddress(arg, 3) {
			unsure = true
		}
		for _, v := range found {
			_, isObject := v.node.(*ast.ObjectLiteral)
			if !isObject && p.functionOf(v) == nil {
				_, isText := stringOf(v.node)
				_, isPiece := v.node.(*ast.TemplateLiteral)
				plain := isText || isPiece || p.isAddress(arg, 3) || v.node != nil && isAddress(v.node) || isPlugin(arg, v)
				if n, ok := v.node.(*ast.NewExpression); ok && isName(n.Callee, "URL") {
					plain = true
				}
				unsure = unsure || !plain
				continue
			}
			for _, way := range ways {
				most, sure := p.at(v.Expr, strings.Split(way, "."))
				if most.node != nil {
					if l := p.numberOf(most, problem); l.Explicit || l.Problem != problem {
						return l
					}
				}
				unsure = unsure || !sure
			}
		}
	}
	if unsure {
		return Limit{Unknown: "its options can't be followed"}
	}
	return Limit{Problem: problem}
}

// isPlugin tells what is handed over, as in register(plugin, options), from
// options; a dialect of Kysely's likewise.
func isPlugin(arg Expr, v value) bool {
	_, isName := arg.node.(*ast.Identifier)
	return v.pkg != "" && isName || v.pkg != "" && strings.HasPrefix(v.pkg, "@fastify/")
}

// at is the value below keys of an object, through functions that return one
// and through what is spread into it; sure is false where that can't be told.
func (p *Code) at(e Expr, keys []string) (Expr, bool) {
	sure := true
	for _, key := range keys {
		next := Expr{}
		found := p.values(e)
		for _, v := range found {
			objects := []Expr{v.Expr}
			if fn := p.functionOf(v); fn != nil {
				objects = fn.returns
			}
			for _, o := range objects {
				for _, inner := range p.values(o) {
					object, ok := inner.node.(*ast.ObjectLiteral)
					if !ok {
						sure = sure && isAddress(e.node)
						continue
					}
					f, ok := p.property(object, inner.scope, key)
					sure = sure && ok
					if f.node != nil {
						next = f
					}
				}
			}
		}
		if next.node == nil {
			return Expr{}, sure && (len(found) > 0 || isAddress(e.node))
		}
		e = next
	}
	return e, true
}

// propertyAt is at without the doubt.
func (p *Code) propertyAt(e Expr, keys ...string) Expr {
	if e.node == nil {
		return Expr{}
	}
	found, _ := p.at(e, keys)
	return found
}
