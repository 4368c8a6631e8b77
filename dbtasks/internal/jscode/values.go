package jscode

import (
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// value is what an expression may come to: an expression that is followed no
// further (a new, a call, a literal, a function), a module of the project, or
// something that a package exports.
type value struct {
	Expr
	module *Module
	pkg    string // a package's specifier, or that of a file outside of the project
	name   string // what it exports; "*": the whole of it
}

// question is one thing that is being followed. A second time within itself
// it is a circle (text = text.trim()), which adds nothing.
type question struct {
	node ast.Node
	keys string
}

const (
	maxDepth  = 120    // steps within steps; real code needs about ten
	maxSteps  = 20_000 // of one question
	maxValues = 64     // of one expression
)

// values is everything that e may come to. It ends on any code: no circle is
// gone round twice, and each question has a bound; where that was reached, the
// module is among Unfinished.
func (p *Code) values(e Expr) []value {
	if e.node == nil {
		return nil
	}
	if list, ok := p.known[e.node]; ok {
		return list
	}
	outermost := len(p.asked) == 0
	cutBefore := p.cut
	p.cut = false
	var list []value
	seen := map[value]bool{}
	p.follow(e, nil, func(v value) {
		if !seen[v] && len(list) < maxValues {
			seen[v] = true
			list = append(list, v)
		}
	})
	if !p.stopped && (outermost || !p.cut) {
		p.known[e.node] = list
	}
	p.cut = p.cut || cutBefore
	return list
}

// spend counts a step; false: the bound of this question, or of the whole run,
// is reached.
func (p *Code) spend(e Expr) bool {
	if len(p.asked) == 0 { // a question of its own
		p.steps, p.asker = 0, e.scope
	}
	p.steps++
	p.total++
	if p.total%1024 == 0 {
		p.over()
	}
	if !p.stopped && p.steps <= maxSteps && len(p.asked) <= maxDepth {
		return true
	}
	if p.steps > maxSteps && p.asker != nil && p.asker.mod != nil && p.makers[p.asker.mod] {
		p.overrun[p.asker.mod] = true
	}
	p.cut = true
	return false
}

// enter notes that a question is being answered; false: it is already, or the
// bound is reached. Every function here that may come back to itself enters
// first and leaves last.
func (p *Code) enter(e Expr, what string) (question, bool) {
	q := question{e.node, what}
	if !p.spend(e) {
		return q, false
	}
	if p.asked[q] {
		p.cut = true
		return q, false
	}
	p.asked[q] = true
	return q, true
}

func (p *Code) leave(q question) { delete(p.asked, q) }

// follow evaluates e and then takes the members keys of it, one by one.
func (p *Code) follow(e Expr, keys []string, found func(value)) {
	if e.node == nil || len(keys) > 12 {
		return
	}
	q, ok := p.enter(e, strings.Join(keys, "\x00"))
	if !ok {
		return
	}
	defer p.leave(q)
	again := func(n ast.Node, keys []string) { p.follow(Expr{n, e.scope}, keys, found) }
	switch n := e.node.(type) {
	case *ast.Identifier:
		b := e.scope.lookup(n.Name.String())
		if b == nil {
			p.end(e, keys, found)
			return
		}
		for _, d := range b.defs {
			p.follow(d.value, append(d.keys[:len(d.keys):len(d.keys)], keys...), found)
		}
	case *ast.AssignExpression:
		again(n.Right, keys)
		if n.Operator != token.ASSIGN {
			again(n.Left, keys)
		}
	case *ast.BinaryExpression:
		if isLogical(n.Operator) {
			again(n.Left, keys)
			again(n.Right, keys)
			return
		}
		p.end(e, keys, found)
	case *ast.ConditionalExpression:
		truth := p.inDev(Expr{n.Test, e.scope})
		if truth >= 0 {
			again(n.Consequent, keys)
		}
		if truth <= 0 {
			again(n.Alternate, keys)
		}
	case *ast.SequenceExpression:
		if len(n.Sequence) > 0 {
			again(n.Sequence[len(n.Sequence)-1], keys)
		}
	case *ast.AwaitExpression:
		again(n.Argument, keys)
	case *ast.UnaryExpression:
		if n.Operator == token.VOID { // an await, see withoutAwaits
			again(n.Operand, keys)
			return
		}
		p.end(e, keys, found)
	case *ast.OptionalChain, *ast.Optional:
		again(bare(n), keys)
	case *ast.DotExpression, *ast.BracketExpression, *ast.PrivateDotExpression:
		p.member(e, keys, found)
	case *ast.CallExpression:
		p.call(n, e, keys, found)
	default:
		p.end(e, keys, found)
	}
}

// call follows what a call returns.
func (p *Code) call(n *ast.CallExpression, e Expr, keys []string, found func(value)) {
	if spec, ok := requireOf(n); ok {
		target, pkg := p.resolve.find(e.scope.mod.path, spec)
		if m := p.modules[target]; m != nil {
			p.take(value{module: m, name: "*"}, keys, found)
		} else {
			p.take(value{pkg: pkg, name: "*"}, keys, found)
		}
		return
	}
	if isName(n.Callee, "__toESM") && len(n.ArgumentList) > 0 {
		p.follow(Expr{n.ArgumentList[0], e.scope}, keys, found)
		return
	}
	if name := lastName(n.Callee); strings.HasPrefix(name, "__decorateClass") || name == "__using" {
		for _, arg := range n.ArgumentList[min(1, len(n.ArgumentList)):] {
			p.follow(Expr{arg, e.scope}, keys, found)
		}
		return
	}
	if name, of := memberOf(n.Callee); of != nil {
		switch name {
		case "$extends", "$on", "on", "once": // return the client itself; an extension may hold another
			if name == "$extends" && len(keys) == 0 {
				found(value{Expr: e})
			}
			p.follow(Expr{of, e.scope}, keys, found)
			return
		case "then": // import("x").then((m) => m.Pool); esbuild's import() is Promise.resolve().then(() => …)
			if len(n.ArgumentList) > 0 {
				for _, v := range p.values(Expr{n.ArgumentList[0], e.scope}) {
					p.thenReturns(v, Expr{of, e.scope}, keys, found)
				}
			}
			return
		case "get": // of a Map that outlives the module
			for _, place := range p.places(e) {
				for _, s := range p.storesAt(place) {
					p.follow(s.value, keys, found)
				}
			}
		case "assign", "freeze", "seal":
			if isName(of, "Object") {
				for _, arg := range n.ArgumentList {
					p.follow(Expr{arg, e.scope}, keys, found)
				}
				return
			}
		}
	}
	p.end(e, keys, found)
	for _, v := range p.values(Expr{n.Callee, e.scope}) {
		if fn := p.functionOf(v); fn != nil {
			for _, r := range fn.returns {
				p.follow(r, keys, found)
			}
		}
	}
}

func (p *Code) thenReturns(callback value, of Expr, keys []string, found func(value)) {
	fn := p.functionOf(callback)
	if fn == nil {
		return
	}
	for _, r := range fn.returns {
		if name, base := memberOf(r.node); base != nil && len(fn.params) > 0 && sameName(fn.params[0], base) {
			p.follow(of, append([]string{name}, keys...), found)
			continue
		}
		p.follow(r, keys, found)
	}
}

func sameName(a, b ast.Node) bool {
	id, ok := a.(*ast.Identifier)
	return ok && isName(b, id.Name.String())
}

func (p *Code) functionOf(v value) *function {
	if v.node == nil || v.scope == nil || v.scope.mod == nil {
		return nil
	}
	return v.scope.mod.funcs[v.node]
}
