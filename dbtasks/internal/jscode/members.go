package jscode

import (
	"strings"

	"github.com/dop251/goja/ast"
)

// member follows a.b: what is stored there where it outlives the module, and
// the member b of a.
func (p *Code) member(e Expr, keys []string, found func(value)) {
	name, of := memberOf(e.node)
	for _, place := range p.places(e) {
		for _, s := range p.storesAt(place) {
			p.follow(s.value, keys, found)
		}
	}
	base := Expr{of, e.scope}
	if isGlobal(base) {
		return
	}
	if name == "$client" { // what is under drizzle(): its own pool, or the client that it was given
		p.follow(base, keys, found)
		for _, v := range p.values(base) {
			if call, ok := v.node.(*ast.CallExpression); ok && len(call.ArgumentList) > 0 {
				given := Expr{call.ArgumentList[0], v.scope}
				p.follow(given, keys, found)
				p.follow(given, append([]string{"client"}, keys...), found)
			}
		}
		return
	}
	p.follow(base, append([]string{name}, keys...), found)
}

// end is an expression that is followed no further, unless a member of it is
// asked for that its text shows.
func (p *Code) end(e Expr, keys []string, found func(value)) {
	if len(keys) == 0 {
		found(value{Expr: e})
		return
	}
	var members []Expr
	getters := map[ast.Node]bool{}
	switch n := e.node.(type) {
	case *ast.ObjectLiteral:
		v, _ := p.property(n, e.scope, keys[0])
		if v.node != nil {
			members = append(members, v)
			for _, prop := range n.Value {
				if keyed, ok := prop.(*ast.PropertyKeyed); ok && keyed.Kind == ast.PropertyKindGet {
					getters[keyed.Value] = true
				}
			}
		}
	case *ast.ArrayLiteral:
		for _, element := range n.Value {
			members = append(members, Expr{element, e.scope})
		}
	case *ast.NewExpression:
		for _, v := range p.values(Expr{n.Callee, e.scope}) {
			members = append(members, p.classMember(v, keys[0], false, getters, 0)...)
		}
	case *ast.ClassLiteral:
		members = p.classMember(value{Expr: e}, keys[0], true, getters, 0)
	case *ast.ThisExpression:
		if c := e.scope.ofClass(); c != nil {
			of := value{Expr: Expr{c.node, c.scope.parent}}
			members = append(p.classMember(of, keys[0], false, getters, 0), p.classMember(of, keys[0], true, getters, 0)...)
		}
	}
	for _, m := range members {
		fn := (*function)(nil)
		if m.scope.mod != nil && getters[m.node] {
			fn = m.scope.mod.funcs[m.node]
		}
		if fn == nil {
			p.follow(m, keys[1:], found)
			continue
		}
		for _, r := range fn.returns {
			p.follow(r, keys[1:], found)
		}
	}
}

// classMember is what a class, or one that it extends, has under a name.
func (p *Code) classMember(v value, name string, static bool, getters map[ast.Node]bool, depth int) []Expr {
	if v.node == nil || v.scope == nil || v.scope.mod == nil || depth > 5 {
		return nil
	}
	c := v.scope.mod.classes[v.node]
	if c == nil {
		return nil
	}
	for fn := range c.getters {
		getters[fn] = true
	}
	list := c.members[name]
	if static {
		list = c.statics[name]
	}
	if len(list) == 0 && c.node.SuperClass != nil {
		for _, super := range p.values(Expr{c.node.SuperClass, v.scope}) {
			list = append(list, p.classMember(super, name, static, getters, depth+1)...)
		}
	}
	return list
}

// take is the member keys of a module or package.
func (p *Code) take(v value, keys []string, found func(value)) {
	if len(keys) == 0 {
		found(v)
		return
	}
	if v.module != nil {
		p.exported(v.module, keys[0], keys[1:], found)
		return
	}
	switch v.name {
	case "*", "default": // pg.default.Pool is pg.Pool
		v.name = keys[0]
	default:
		v.name += "." + keys[0]
	}
	p.take(v, keys[1:], found)
}

// exported follows what a module exports under a name, through re-exports.
func (p *Code) exported(m *Module, name string, keys []string, found func(value)) {
	p.parse(m) // a helper, or a limit, that a client takes
	if e, ok := m.exports[name]; ok {
		p.follow(e, keys, found)
		return
	}
	if e, ok := m.exports["default"]; ok && name != "default" && len(m.exports) == 1 && len(m.stars) == 0 {
		p.follow(e, append([]string{name}, keys...), found) // module.exports = something
		return
	}
	for _, star := range m.stars {
		p.follow(star, append([]string{name}, keys...), found)
	}
}

// property finds a property of an object literal, through what is spread into
// it; sure is false where something spread into it can't be told.
func (p *Code) property(object *ast.ObjectLiteral, s *scope, name string) (found Expr, sure bool) {
	q, ok := p.enter(Expr{object, s}, "property\x00"+name)
	if !ok {
		return Expr{}, false
	}
	defer p.leave(q)
	sure = true
	for _, prop := range object.Value {
		switch prop := prop.(type) {
		case *ast.PropertyShort:
			if prop.Name.Name.String() == name {
				found = Expr{&prop.Name, s}
			}
		case *ast.PropertyKeyed:
			if keyOf(prop) == name {
				found = Expr{prop.Value, s}
			}
		case *ast.SpreadElement:
			e, ok := p.spread(Expr{prop.Expression, s}, name)
			if e.node != nil {
				found = e
			}
			sure = sure && ok
		}
	}
	return found, sure || found.node != nil
}

func (p *Code) spread(e Expr, name string) (found Expr, sure bool) {
	sure = true
	list := p.values(e)
	for _, v := range list {
		switch n := v.node.(type) {
		case *ast.ObjectLiteral:
			f, ok := p.property(n, v.scope, name)
			if f.node != nil {
				found = f
			}
			sure = sure && ok
		case *ast.BooleanLiteral, *ast.NullLiteral: // ...(condition && { … })
		case *ast.BinaryExpression, *ast.UnaryExpression, *ast.StringLiteral:
		default:
			sure = sure && isEnvironment(n)
		}
	}
	return found, sure && len(list) > 0
}

// isEnvironment: ...(process.env.X && { … }) spreads nothing where X is unset.
func isEnvironment(n ast.Node) bool {
	_, of := memberOf(n)
	name, _ := memberOf(of)
	return of != nil && name == "env"
}

// isPackage tells whether a specifier names a package, and which.
func isPackage(spec, name string) bool {
	return spec == name || strings.HasPrefix(spec, name+"/")
}

// lastName is the name by which a function is called: afterAll, vitest.afterAll.
func lastName(callee ast.Node) string {
	if seq, ok := callee.(*ast.SequenceExpression); ok && len(seq.Sequence) > 0 { // esbuild's (0, import_vitest.afterAll)
		callee = seq.Sequence[len(seq.Sequence)-1]
	}
	if id, ok := callee.(*ast.Identifier); ok {
		return id.Name.String()
	}
	name, _ := memberOf(callee)
	return name
}
