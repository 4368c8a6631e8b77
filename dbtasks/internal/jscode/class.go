package jscode

import (
	"github.com/dop251/goja/ast"
)

// class declares what a class has, and looks into it.
func (a *analysis) class(n *ast.ClassLiteral, s *scope) {
	c := &class{node: n, members: map[string][]Expr{}, statics: map[string][]Expr{}, getters: map[ast.Node]bool{}, stack: append([]ast.Node(nil), a.stack...)}
	c.scope = &scope{parent: s, mod: a.m, src: s.src, class: c}
	a.m.classes[n] = c
	if n.Name != nil {
		b := c.scope.declare(n.Name.Name.String())
		b.defs = append(b.defs, def{value: Expr{n, s}})
	}
	for _, element := range n.Body {
		switch e := element.(type) {
		case *ast.FieldDefinition:
			if e.Initializer != nil {
				c.add(memberName(e.Key, e.Computed), Expr{e.Initializer, c.scope}, e.Static)
			}
		case *ast.MethodDefinition:
			name := memberName(e.Key, e.Computed)
			c.add(name, Expr{e.Body, c.scope}, e.Static)
			if e.Kind == ast.PropertyKindGet {
				c.getters[e.Body] = true
			}
		}
	}
	a.stack = append(a.stack, n)
	children(n, func(child ast.Node) { a.visit(child, c.scope) })
	a.stack = a.stack[:len(a.stack)-1]
	for _, element := range n.Body {
		if e, ok := element.(*ast.MethodDefinition); ok {
			fn := a.m.funcs[e.Body]
			fn.name, fn.class = memberName(e.Key, e.Computed), c
			if fn.name == "constructor" {
				c.build = fn
			}
		}
	}
}

func (c *class) add(name string, value Expr, static bool) {
	if static {
		c.statics[name] = append(c.statics[name], value)
		return
	}
	c.members[name] = append(c.members[name], value)
}

// classOf is the class whose member an assignment sets: that of "this", or the
// one that a name of this file stands for.
func (a *analysis) classOf(of ast.Node, s *scope) *class {
	if isThis(of) {
		return s.ofClass()
	}
	if id, ok := of.(*ast.Identifier); ok {
		if b := s.lookup(id.Name.String()); b != nil {
			for _, d := range b.defs {
				if c := a.m.classes[d.value.node]; c != nil && len(d.keys) == 0 {
					return c
				}
			}
		}
	}
	return nil
}

func isThis(n ast.Node) bool { _, ok := n.(*ast.ThisExpression); return ok }

func memberName(key ast.Expression, computed bool) string {
	switch k := key.(type) {
	case *ast.Identifier:
		if !computed {
			return k.Name.String()
		}
	case *ast.PrivateIdentifier:
		return "#" + k.Name.String()
	}
	if text, ok := stringOf(key); ok {
		return text
	}
	return "?"
}
