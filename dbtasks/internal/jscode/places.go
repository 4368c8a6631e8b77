package jscode

import (
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// A place is where something outlives the evaluation of a module: a member of
// the global object or of process, something below it, an entry of a Map kept
// there, or import.meta.hot.data. It is written as a path: "global.app.pool";
// a key that can't be told is "?", Symbol.for("x") is "@x".

// hotData is where Vite's module runner keeps things over a reload.
const hotData = "import.meta.hot.data"

// isGlobal tells whether e is the global object under its own name.
func isGlobal(e Expr) bool {
	id, ok := bare(e.node).(*ast.Identifier)
	return ok && globalNames[id.Name.String()] && e.scope.lookup(id.Name.String()) == nil
}

var globalNames = map[string]bool{"globalThis": true, "global": true, "window": true, "self": true}

// places are the places that e may read or write, also by way of variables:
// const g = globalThis as any; g.prisma.
func (p *Code) places(e Expr) []string {
	var list []string
	for _, place := range p.paths(e) {
		if place == "global" || place == "process" || strings.HasPrefix(place, "import.meta") && !strings.HasPrefix(place, hotData+".") {
			continue
		}
		if strings.Contains(place, "process.env") || strings.HasPrefix(place, "global.process.") {
			continue
		}
		list = append(list, place)
	}
	return list
}

// paths are places, the global object itself and its like among them.
func (p *Code) paths(e Expr) []string {
	if e.node == nil {
		return nil
	}
	if list, ok := p.placed[e.node]; ok { // also an empty one while it is being found: a circle
		return list
	}
	if !p.spend(e) {
		return nil
	}
	p.placed[e.node] = nil
	cutBefore := p.cut
	p.cut = false
	set := map[string]bool{}
	var list []string
	add := func(paths []string, keys ...string) {
		for _, path := range paths {
			for _, key := range keys {
				path += "." + key
			}
			if !set[path] && len(list) < 8 && strings.Count(path, ".") < 10 {
				set[path] = true
				list = append(list, path)
			}
		}
	}
	again := func(n ast.Node) []string { return p.paths(Expr{n, e.scope}) }
	switch n := bare(e.node).(type) {
	case *ast.Identifier:
		name := n.Name.String()
		b := e.scope.lookup(name)
		switch {
		case b == nil && globalNames[name]:
			add([]string{"global"})
		case b == nil && name == "process":
			add([]string{"process"})
		case name == "import_meta":
			add([]string{"import.meta"})
		case b != nil:
			for _, d := range b.defs {
				add(p.paths(d.value), d.keys...)
			}
		}
	case *ast.DotExpression, *ast.BracketExpression, *ast.PrivateDotExpression:
		_, of := memberOf(n)
		add(again(of), p.keyName(Expr{n, e.scope}))
		if isThis(of) || isClassName(of, e.scope) { // static store = (globalThis.store ??= {})
			for _, v := range p.memberDefs(Expr{n, e.scope}) {
				add(p.paths(v))
			}
		}
	case *ast.AssignExpression:
		if n.Operator == token.ASSIGN || isLogical(n.Operator) {
			add(again(n.Left))
			add(again(n.Right))
		}
	case *ast.BinaryExpression:
		if isLogical(n.Operator) {
			add(again(n.Left))
			add(again(n.Right))
		}
	case *ast.ConditionalExpression:
		add(again(n.Consequent))
		add(again(n.Alternate))
	case *ast.SequenceExpression:
		if len(n.Sequence) > 0 {
			add(again(n.Sequence[len(n.Sequence)-1]))
		}
	case *ast.AwaitExpression:
		add(again(n.Argument))
	case *ast.CallExpression:
		name, of := memberOf(n.Callee)
		switch {
		case of != nil && name == "get" && len(n.ArgumentList) == 1:
			add(again(of), p.key(Expr{n.ArgumentList[0], e.scope}))
		case of != nil && isName(of, "Reflect") && name == "get" && len(n.ArgumentList) > 1:
			add(again(n.ArgumentList[0]), p.key(Expr{n.ArgumentList[1], e.scope}))
		case of != nil && isName(of, "Object") && name == "assign" && len(n.ArgumentList) > 0:
			add(again(n.ArgumentList[0]))
		default:
			if _, ok := requireOf(n); ok {
				break
			}
			for _, v := range p.values(Expr{n.Callee, e.scope}) {
				if fn := p.functionOf(v); fn != nil {
					for _, r := range fn.returns {
						add(p.paths(r))
					}
				}
			}
		}
	}
	if p.placed[e.node] = list; p.cut && len(p.asked) > 0 {
		delete(p.placed, e.node) // a circle, or a bound, of the question around this one
	}
	p.cut = p.cut || cutBefore
	return list
}

func isClassName(n ast.Node, s *scope) bool {
	id, ok := n.(*ast.Identifier)
	if !ok {
		return false
	}
	b := s.lookup(id.Name.String())
	if b == nil {
		return false
	}
	for _, d := range b.defs {
		if _, ok := d.value.node.(*ast.ClassLiteral); ok {
			return true
		}
	}
	return false
}

// memberDefs are the values that a class gives to a member of its own.
func (p *Code) memberDefs(e Expr) []Expr {
	name, of := memberOf(e.node)
	c := (*class)(nil)
	if isThis(of) {
		c = e.scope.ofClass()
	} else if id, ok := of.(*ast.Identifier); ok {
		for _, d := range e.scope.lookup(id.Name.String()).defs {
			if found := e.scope.mod.classes[d.value.node]; found != nil {
				c = found
			}
		}
	}
	if c == nil {
		return nil
	}
	return append(c.members[name][:len(c.members[name]):len(c.members[name])], c.statics[name]...)
}

// keyName is the key of a member expression.
func (p *Code) keyName(e Expr) string {
	if b, ok := bare(e.node).(*ast.BracketExpression); ok {
		return p.key(Expr{b.Member, e.scope})
	}
	name, _ := memberOf(e.node)
	return name
}

// key is what a computed key comes to.
func (p *Code) key(e Expr) string {
	found := ""
	for _, v := range p.values(e) {
		key := "?"
		if text, ok := stringOf(v.node); ok {
			key = text
		} else if call, ok := v.node.(*ast.CallExpression); ok && len(call.ArgumentList) > 0 {
			if name, of := memberOf(call.Callee); name == "for" && isName(of, "Symbol") {
				if text, ok := stringOf(call.ArgumentList[0]); ok {
					key = "@" + text
				}
			}
		}
		if found != "" && found != key {
			return "?"
		}
		found = key
	}
	if found == "" {
		return "?"
	}
	return strings.ReplaceAll(found, ".", "·")
}
