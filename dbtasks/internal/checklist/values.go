package checklist

import (
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// project is the modules of a project and how they hang together.
type project struct {
	root    string
	modules map[string]*module
	paths   []string // of the modules, sorted
	resolve *resolver
	globals map[string][]assign  // by name of the member of globalThis
	known   map[ast.Node][]value // what values found, once everything is linked; nil before
}

// value is what an expression may come to: an expression that is followed no
// further (a new, a call, a literal, a function), a module of the project, or
// something that a package exports.
type value struct {
	expr
	module *module
	pkg    string // a package's specifier, or that of a file outside of the project
	name   string // what it exports; "*": the whole of it
}

// maxDepth bounds how many steps a value is followed; real code needs about ten.
const maxDepth = 40

// values is everything that e may come to.
func (p *project) values(e expr) []value {
	if list, ok := p.known[e.node]; ok {
		return list
	}
	var list []value
	p.follow(e, nil, map[ast.Node]bool{}, 0, func(v value) { list = append(list, v) })
	if p.known != nil {
		p.known[e.node] = list
	}
	return list
}

// follow evaluates e and then takes the members keys of it, one by one. It
// never goes round in a circle: active holds what is being followed.
func (p *project) follow(e expr, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	if e.node == nil || depth > maxDepth || active[e.node] {
		return
	}
	active[e.node] = true
	defer delete(active, e.node)
	again := func(n ast.Node, keys []string) { p.follow(expr{n, e.scope}, keys, active, depth+1, found) }
	member := func(key string) []string { return append([]string{key}, keys...) }
	switch n := e.node.(type) {
	case *ast.Identifier:
		p.identifier(n, e, keys, active, depth, found)
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
		p.end(e, keys, active, depth, found)
	case *ast.ConditionalExpression:
		again(n.Consequent, keys)
		again(n.Alternate, keys)
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
		p.end(e, keys, active, depth, found)
	case *ast.OptionalChain, *ast.Optional:
		again(bare(n), keys)
	case *ast.DotExpression, *ast.BracketExpression:
		name, of := memberOf(n)
		if isGlobal(expr{of, e.scope}) {
			if name != "?" {
				for _, a := range p.globals[name] {
					p.follow(a.right, keys, active, depth+1, found)
				}
			}
			return
		}
		if name == "$client" { // what is under drizzle(): its own pool, or the client that it was given
			again(of, keys)
			for _, v := range p.values(expr{of, e.scope}) {
				if call, ok := v.node.(*ast.CallExpression); ok && len(call.ArgumentList) > 0 {
					given := expr{call.ArgumentList[0], v.scope}
					p.follow(given, keys, active, depth+1, found)
					p.follow(given, append([]string{"client"}, keys...), active, depth+1, found)
				}
			}
			return
		}
		again(of, member(name))
	case *ast.CallExpression:
		p.call(n, e, keys, active, depth, found)
	default:
		p.end(e, keys, active, depth, found)
	}
}

func (p *project) identifier(n *ast.Identifier, e expr, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	b := e.scope.lookup(n.Name.String())
	if b == nil {
		p.end(e, keys, active, depth, found)
		return
	}
	for _, d := range b.defs {
		p.follow(d.value, append(d.keys[:len(d.keys):len(d.keys)], keys...), active, depth+1, found)
	}
}

// call follows what a call returns.
func (p *project) call(n *ast.CallExpression, e expr, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	if spec, ok := requireOf(n); ok {
		target, pkg := p.resolve.find(e.scope.mod.path, spec)
		if m := p.modules[target]; m != nil {
			p.take(value{module: m, name: "*"}, keys, active, depth, found)
		} else {
			p.take(value{pkg: pkg, name: "*"}, keys, active, depth, found)
		}
		return
	}
	if isName(n.Callee, "__toESM") && len(n.ArgumentList) > 0 {
		p.follow(expr{n.ArgumentList[0], e.scope}, keys, active, depth+1, found)
		return
	}
	if name, of := memberOf(n.Callee); of != nil {
		switch name {
		case "$extends", "$on", "on", "once": // return the client itself
			p.follow(expr{of, e.scope}, keys, active, depth+1, found)
			return
		case "then": // import("x").then((m) => m.Pool); esbuild's import() is Promise.resolve().then(() => …)
			if len(n.ArgumentList) > 0 {
				for _, v := range p.values(expr{n.ArgumentList[0], e.scope}) {
					p.thenReturns(v, expr{of, e.scope}, keys, active, depth, found)
				}
			}
			return
		}
	}
	p.end(e, keys, active, depth, found)
	if depth > maxDepth/2 {
		return
	}
	for _, v := range p.values(expr{n.Callee, e.scope}) {
		if fn := p.functionOf(v); fn != nil {
			for _, r := range fn.returns {
				p.follow(r, keys, active, depth+1, found)
			}
		}
	}
}

func (p *project) thenReturns(callback value, of expr, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	fn := p.functionOf(callback)
	if fn == nil {
		return
	}
	for _, r := range fn.returns {
		if name, base := memberOf(r.node); base != nil && len(fn.params) > 0 && fn.params[0] != "" && isName(base, fn.params[0]) {
			p.follow(of, append([]string{name}, keys...), active, depth+1, found)
			continue
		}
		p.follow(r, keys, active, depth+1, found)
	}
}

func (p *project) functionOf(v value) *function {
	if v.node == nil || v.scope == nil || v.scope.mod == nil {
		return nil
	}
	return v.scope.mod.funcs[v.node]
}

// end is an expression that is followed no further, unless a member of an
// object literal is asked for.
func (p *project) end(e expr, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	if len(keys) == 0 {
		found(value{expr: e})
		return
	}
	if object, ok := e.node.(*ast.ObjectLiteral); ok {
		v, _ := p.property(object, e.scope, keys[0])
		if v.node != nil {
			p.follow(v, keys[1:], active, depth+1, found)
		}
	}
}

// take is the member keys of a module or package.
func (p *project) take(v value, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	if len(keys) == 0 {
		found(v)
		return
	}
	if v.module != nil {
		p.exported(v.module, keys[0], keys[1:], active, depth, found)
		return
	}
	switch v.name {
	case "*", "default": // pg.default.Pool is pg.Pool
		v.name = keys[0]
	default:
		v.name += "." + keys[0]
	}
	p.take(v, keys[1:], active, depth, found)
}

// exported follows what a module exports under a name, through re-exports.
func (p *project) exported(m *module, name string, keys []string, active map[ast.Node]bool, depth int, found func(value)) {
	if m.scope == nil { // it reaches no client, and has a limit that a client takes
		m.parse()
	}
	if e, ok := m.exports[name]; ok {
		p.follow(e, keys, active, depth+1, found)
		return
	}
	if e, ok := m.exports["default"]; ok && name != "default" && len(m.exports) == 1 && len(m.stars) == 0 {
		p.follow(e, append([]string{name}, keys...), active, depth+1, found) // module.exports = something
		return
	}
	for _, star := range m.stars {
		p.follow(star, append([]string{name}, keys...), active, depth+1, found)
	}
}

// property finds a property of an object literal, through what is spread into
// it; sure is false where something spread into it can't be told.
func (p *project) property(object *ast.ObjectLiteral, s *scope, name string) (found expr, sure bool) {
	sure = true
	for _, prop := range object.Value {
		switch prop := prop.(type) {
		case *ast.PropertyShort:
			if prop.Name.Name.String() == name {
				found = expr{&prop.Name, s}
			}
		case *ast.PropertyKeyed:
			if keyOf(prop) == name {
				found = expr{prop.Value, s}
			}
		case *ast.SpreadElement:
			e, ok := p.spread(expr{prop.Expression, s}, name)
			if e.node != nil {
				found = e
			}
			sure = sure && ok
		}
	}
	return found, sure || found.node != nil
}

func (p *project) spread(e expr, name string) (found expr, sure bool) {
	sure = true
	for _, v := range p.values(e) {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			f, ok := p.property(n, v.scope, name)
			if f.node != nil {
				found = f
			}
			sure = sure && ok
		case *ast.BooleanLiteral, *ast.NullLiteral: // ...(condition && { … })
		case *ast.BinaryExpression, *ast.UnaryExpression:
		default:
			sure = false
		}
	}
	return found, sure
}

// isPackage tells whether a specifier names a package, and which.
func isPackage(spec, name string) bool {
	return spec == name || strings.HasPrefix(spec, name+"/")
}
