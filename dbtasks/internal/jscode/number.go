package jscode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// numberOf reads a limit: a literal, one that is computed from the URL's
// connection_limit, or any other expression, which is explicit all the same.
func (p *Code) numberOf(e Expr, problem string) Limit {
	if void, ok := e.node.(*ast.UnaryExpression); isName(e.node, "undefined") || ok && void.Operator == token.VOID {
		return Limit{Problem: problem}
	}
	l := Limit{Explicit: true, Number: p.fromEnvironment(e)}
	if l.Number > 0 {
		return l
	}
	if p.Options.URLLimit > 0 && p.mentionsText(e, "connection_limit", 0) {
		l.Number = p.Options.URLLimit
		return l
	}
	for _, v := range p.values(e) {
		n, ok := number(v.node)
		if !ok {
			n, ok = p.computed(v, 0)
		}
		_, literal := number(e.node)
		switch {
		case ok && n < 1 && literal:
			return Limit{Problem: fmt.Sprintf("has max %v, which should be a number of connections from 1", n)}
		case ok:
			l.Number = max(l.Number, int(n))
		}
	}
	if l.Number == 0 {
		l.Number = p.ofEnvironment(e)
	}
	return l
}

// computed is the number that Number(process.env.X ?? 5) and its like come to.
func (p *Code) computed(v value, depth int) (float64, bool) {
	if v.node == nil || depth > 5 {
		return 0, false
	}
	again := func(n ast.Node) (float64, bool) {
		for _, inner := range p.values(Expr{n, v.scope}) {
			if f, ok := number(inner.node); ok {
				return f, true
			}
			if f, ok := p.computed(inner, depth+1); ok {
				return f, true
			}
		}
		return 0, false
	}
	switch n := v.node.(type) {
	case *ast.CallExpression:
		name := lastName(n.Callee)
		if (name == "Number" || name == "parseInt" || name == "parseFloat") && len(n.ArgumentList) > 0 {
			return again(n.ArgumentList[0])
		}
		if name == "default" && len(n.ArgumentList) == 1 { // zod's
			return again(n.ArgumentList[0])
		}
	case *ast.UnaryExpression:
		if n.Operator == token.PLUS {
			return again(n.Operand)
		}
	case *ast.DotExpression:
		if name, of := memberOf(n); of != nil {
			if outer, _ := memberOf(of); outer == "env" || isName(of, "env") {
				if text, ok := p.environment(name); ok {
					f, err := strconv.ParseFloat(text, 64)
					return f, err == nil
				}
			}
		}
	}
	return 0, false
}

// fromEnvironment is the number of a variable that an expression reads from the
// environment, as .env has it.
func (p *Code) fromEnvironment(e Expr) int {
	found := 0
	for _, v := range append(p.values(e), value{Expr: e}) {
		if v.node == nil {
			continue
		}
		anywhere(v.node, func(n ast.Node) bool {
			name, of := memberOf(n)
			if outer, _ := memberOf(of); of == nil || outer != "env" {
				return false
			}
			text, _ := p.environment(name)
			if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 0 {
				found = n
			}
			return found > 0
		})
	}
	return found
}

func (p *Code) environment(name string) (string, bool) {
	if p.Options.Environment == nil {
		return "", false
	}
	return p.Options.Environment(name)
}

// ofEnvironment is a limit that a validated environment gives: env.POOL_MAX,
// from .env, or else the default that its schema has under the same name.
func (p *Code) ofEnvironment(e Expr) int {
	for _, v := range append(p.values(e), value{Expr: e}) {
		name, of := memberOf(v.node)
		if of == nil {
			continue
		}
		if text, ok := p.environment(name); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 0 {
				return n
			}
		}
		found := 0
		p.each(func(m *Module) {
			for _, s := range m.sites {
				if called, _ := memberOf(s.callee); called != "default" || len(s.args) != 1 || len(s.stack) == 0 {
					continue
				}
				if n, ok := number(s.args[0]); ok && slices.ContainsFunc(s.stack, func(n ast.Node) bool {
					keyed, ok := n.(*ast.PropertyKeyed)
					return ok && keyOf(keyed) == name
				}) {
					found = int(n)
				}
			}
		})
		if found > 0 {
			return found
		}
	}
	return 0
}

// mentionsText tells whether a string stands in e or in what its variables and
// functions are made of.
func (p *Code) mentionsText(e Expr, want string, depth int) bool {
	if e.node == nil || depth > 4 {
		return false
	}
	q, ok := p.enter(e, "mentions")
	if !ok {
		return false
	}
	defer p.leave(q)
	return anywhere(e.node, func(n ast.Node) bool {
		if text, ok := stringOf(n); ok {
			return text == want
		}
		id, ok := n.(*ast.Identifier)
		if !ok {
			return false
		}
		for _, d := range e.scope.lookupDefs(id.Name.String()) {
			if d.value.node != e.node && p.mentionsText(d.value, want, depth+1) {
				return true
			}
		}
		return false
	})
}
