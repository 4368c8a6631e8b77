package jscode

import (
	"slices"

	"github.com/dop251/goja/ast"
)

// tracer finds the ways to a client.
type tracer struct {
	p      *Code
	stores []store // that hold it
	left   int     // calls that may still be looked at
	active map[ast.Node]bool
}

// ways are the ways to a call or new, through the calls of the functions that
// it stands in.
func (t *tracer) ways(s *site) []way {
	t.left--
	if s.node == nil || t.active[s.node] || len(t.active) > 20 || t.left < 0 {
		return nil
	}
	t.active[s.node] = true
	defer delete(t.active, s.node)
	p := t.p
	around, from := enclosing(s.stack)
	local := way{request: p.answers(around, s)}
	local.looks, local.memo = p.looks(s, from)
	if around == nil {
		local.top = true
		return []way{local}
	}
	local.outside = []ast.Node{around}
	local.kept = p.isRemembered(s, from)
	if local.kept || p.storedWhereLooked(local, t.stores) != "" {
		return []way{local}
	}
	held, class := p.holderOf(s, around, &local)
	made, above, at := around, s.stack[:from], s.scope
	if class != nil { // as long as the object lives
		made, above, at = class.node, class.stack, class.scope.parent
	}
	var list []way
	for _, caller := range p.callersOf(made, above, at) {
		if IsTest(caller.scope.mod.path) || p.dead(caller.stack, caller.Expr) || p.roleOf(caller.scope.mod) == Script && caller.scope.mod != s.scope.mod {
			continue
		}
		for _, w := range t.ways(caller) {
			w.object = w.object || held && !w.top && !w.memo && !w.kept && !w.request
			w.looks, w.outside = append(w.looks, local.looks...), append(w.outside, local.outside...)
			w.memo, w.request = w.memo || local.memo, w.request || local.request
			list = append(list, w)
		}
	}
	if len(list) == 0 && !local.request {
		if whole := ofOptions(s.stack[:from]); whole >= 0 { // new Kysely({ pool: () => new Pool() })
			for _, w := range t.ways(&site{Expr: Expr{s.stack[whole], s.scope}, stack: s.stack[:whole]}) {
				w.outside = append(w.outside, local.outside...)
				list = append(list, w)
			}
		}
	}
	if call := callOf(s.stack[:from]); len(list) == 0 && call >= 0 { // list.map(() => new Pool())
		list = t.ways(&site{Expr: Expr{s.stack[call], s.scope}, stack: s.stack[:call]})
	}
	if len(list) == 0 {
		local.object = held && !local.request
		return []way{local}
	}
	return list
}

// holderOf tells whether a method puts what is made at s into a member of its
// object, which has one at a time: it looks whether there is one already, or
// ends the one before. The class is nil where the method is of no class.
func (p *Code) holderOf(s *site, around ast.Node, local *way) (held bool, of *class) {
	m := s.scope.mod
	fn := m.funcs[around]
	if fn == nil || fn.class != nil && fn.name == "constructor" {
		return false, nil
	}
	made := &Client{site: s}
	for _, a := range m.assigns {
		name, object := memberOf(a.left.node)
		if !isThis(object) || !slices.Contains(a.stack, around) || !p.holds(a.right, made, 0) {
			continue
		}
		class := a.left.scope.ofClass()
		if class == nil && a.left.scope.parent != nil && isMethodOfLiteral(s.stack, around) {
			continue
		}
		if local.memo || slices.ContainsFunc(m.sites, func(other *site) bool {
			closed, ok := isCloser(other)
			member, of := memberOf(closed)
			return ok && member == name && isThis(of) && other.scope.ofClass() == class
		}) {
			return true, class
		}
	}
	return false, nil
}

// holdersOf follows an object that holds the client made at s: the names of the
// functions in which it is made, from the inside out, and the classes of what
// holds it in turn. Nothing, where no object holds the client.
func (p *Code) holdersOf(s *site, depth int, seen func(names []string, of *class)) {
	around, from := enclosing(s.stack)
	if around == nil || depth > 5 {
		return
	}
	made, above, at := around, s.stack[:from], s.scope
	held, class := p.holderOf(s, around, &way{memo: true})
	switch fn := s.scope.mod.funcs[around]; {
	case class != nil:
		made, above, at = class.node, class.stack, class.scope.parent
	case depth == 0 && !held:
		return
	case fn != nil && fn.name == "constructor":
		class = fn.class
	}
	seen(p.namesOf(made, above, at), class)
	for _, caller := range p.callersOf(made, above, at) {
		p.holdersOf(caller, depth+1, seen)
	}
}

// isMethodOfLiteral tells a function that is a property of an object literal.
func isMethodOfLiteral(stack []ast.Node, fn ast.Node) bool {
	i := slices.Index(stack, fn)
	if i < 1 {
		return false
	}
	_, ok := stack[i-1].(*ast.PropertyKeyed)
	return ok
}

// callOf is where in a stack the call stands that calls the function behind the
// stack for each element of a list; -1: what it is handed to is no such call.
func callOf(stack []ast.Node) int {
	last := len(stack) - 1
	if last < 0 {
		return -1
	}
	if call, ok := stack[last].(*ast.CallExpression); ok {
		if name, of := memberOf(call.Callee); of != nil && slices.Contains([]string{"map", "flatMap", "forEach", "reduce"}, name) {
			return last
		}
	}
	return -1
}

// ofOptions is where in a stack the new stands whose options end the stack; -1:
// what ends it is no option.
func ofOptions(stack []ast.Node) int {
	for i := len(stack) - 1; i >= 0; i-- {
		switch stack[i].(type) {
		case *ast.PropertyKeyed, *ast.ObjectLiteral, *ast.ArrayLiteral:
		case *ast.NewExpression:
			return i
		default:
			return -1
		}
	}
	return -1
}

// enclosing is the innermost function, or the class whose field it is, that a
// stack ends in, and where in the stack it is.
func enclosing(stack []ast.Node) (ast.Node, int) {
	for i := len(stack) - 1; i >= 0; i-- {
		switch n := stack[i].(type) {
		case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
			return n, i
		case *ast.FieldDefinition:
			if !n.Static && i > 0 {
				return stack[i-1], i - 1
			}
		}
	}
	return nil, -1
}

// callersOf are the calls of a function, or of the class that it builds. above
// is what the function stands in.
func (p *Code) callersOf(fn ast.Node, above []ast.Node, at *scope) []*site {
	if list, ok := p.callers[fn]; ok {
		return list
	}
	wanted := fn
	if f := at.mod.funcs[fn]; f != nil && f.class != nil && f.name == "constructor" {
		wanted = f.class.node
	}
	names := p.namesOf(fn, above, at)
	var list []*site
	p.each(func(m *Module) {
		for _, s := range m.sites {
			if ast.Node(s.callee) != fn && !slices.Contains(names, lastName(s.callee)) {
				continue
			}
			if slices.ContainsFunc(p.values(Expr{s.callee, s.scope}), func(v value) bool { return v.node == fn || v.node == wanted }) {
				list = append(list, s)
			}
		}
	})
	if len(list) == 0 {
		list = p.callsOfParameter(fn, above, at)
	}
	p.callers[fn] = list
	return list
}

// callsOfParameter are the calls of a function within the project's own function
// that it is handed to: keep("db", () => new Pool()). A helper that everybody
// calls does not take every function as a value of its parameter.
func (p *Code) callsOfParameter(fn ast.Node, above []ast.Node, at *scope) (list []*site) {
	if len(above) == 0 {
		return nil
	}
	call, ok := above[len(above)-1].(*ast.CallExpression)
	if !ok {
		return nil
	}
	for _, v := range p.values(Expr{call.Callee, at}) {
		f := p.functionOf(v)
		for i, arg := range call.ArgumentList {
			if f == nil || ast.Node(arg) != fn || i >= len(f.params) {
				continue
			}
			name := lastName(f.params[i])
			for _, s := range p.sitesIn(f.node) {
				if name != "" && isName(s.callee, name) && s.scope.lookup(name) == f.scope.names[name] {
					list = append(list, s)
				}
			}
		}
	}
	return list
}

// namesOf are the names by which a function or class may be called: its own,
// that of the variable or property that it is, of the parameter that it is
// handed to, and those by which its module exports it.
func (p *Code) namesOf(fn ast.Node, above []ast.Node, at *scope) []string {
	var names []string
	add := func(name string) {
		if name != "" && name != "?" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	m := at.mod
	if f := m.funcs[fn]; f != nil && f.class != nil {
		add(f.name)
		if f.name == "constructor" {
			fn = f.class.node
		}
	}
	switch n := fn.(type) {
	case *ast.FunctionLiteral:
		if n.Name != nil {
			add(n.Name.Name.String())
		}
	case *ast.ClassLiteral:
		if n.Name != nil {
			add(n.Name.Name.String())
		}
	}
	if len(above) > 0 {
		switch n := above[len(above)-1].(type) {
		case *ast.Binding:
			add(lastName(n.Target))
		case *ast.AssignExpression:
			add(lastName(n.Left))
		case *ast.PropertyKeyed:
			add(keyOf(n))
		case *ast.CallExpression:
			for _, v := range p.values(Expr{n.Callee, at}) {
				f := p.functionOf(v)
				for i, arg := range n.ArgumentList {
					if f != nil && ast.Node(arg) == fn && i < len(f.params) {
						add(lastName(f.params[i]))
					}
				}
			}
		}
	}
	for name, b := range m.scope.names {
		if slices.ContainsFunc(b.defs, func(d def) bool { return d.value.node == fn && len(d.keys) == 0 }) {
			add(name)
		}
	}
	for name, e := range m.exports {
		if id, ok := e.node.(*ast.Identifier); ok && slices.Contains(names, id.Name.String()) || e.node == fn {
			add(name)
		}
	}
	return names
}

// looks are the places that are looked at on the way from a function's start
// (its index in the stack, -1 the module's) to a site, and whether a variable
// of the module, or a static member, is.
func (p *Code) looks(s *site, from int) (places []string, memo bool) {
	look := func(n ast.Node) {
		found, variable := p.reads(Expr{n, s.scope})
		places = append(places, found...)
		memo = memo || variable
	}
	path := append(s.stack[:len(s.stack):len(s.stack)], s.node)
	for i := max(from, 0); i < len(s.stack); i++ {
		next := path[i+1]
		switch n := path[i].(type) {
		case *ast.AssignExpression:
			if isLogical(n.Operator) && next == ast.Node(n.Right) {
				look(n.Left)
			}
		case *ast.BinaryExpression:
			if isLogical(n.Operator) && next == ast.Node(n.Right) {
				look(n.Left)
			}
		case *ast.ConditionalExpression:
			if next != ast.Node(n.Test) {
				look(n.Test)
			}
		case *ast.IfStatement:
			if next != ast.Node(n.Test) {
				look(n.Test)
			}
		case *ast.SwitchStatement:
			look(n.Discriminant)
		case *ast.Binding: // const { pool = new Pool() } = globalThis
			if _, ok := n.Target.(*ast.ObjectPattern); ok && next == ast.Node(n.Target) && i+2 < len(path) {
				if short, ok := path[i+2].(*ast.PropertyShort); ok {
					places = append(places, below(p.paths(Expr{n.Initializer, s.scope}), short.Name.Name.String())...)
				}
			}
		case *ast.BlockStatement:
			for _, before := range n.List {
				if ast.Node(before) == next {
					break
				}
				if cond, ok := before.(*ast.IfStatement); ok && anywhere(cond.Consequent, isReturn) {
					look(cond.Test)
				}
			}
		}
	}
	return places, memo
}

func isReturn(n ast.Node) bool {
	switch n.(type) {
	case *ast.ReturnStatement, *ast.ThrowStatement:
		return true
	}
	return false
}

// reads are the places that an expression reads.
func (p *Code) reads(e Expr) (places []string, memo bool) {
	anywhere(e.node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Identifier, *ast.DotExpression, *ast.BracketExpression, *ast.PrivateDotExpression:
			places = append(places, p.places(Expr{n, e.scope})...)
			if id, ok := n.(*ast.Identifier); ok {
				b := e.scope.lookup(id.Name.String())
				memo = memo || b != nil && isMemory(b)
			} else if _, of := memberOf(n); isThis(of) || isClassName(of, e.scope) {
				memo = true
			}
		case *ast.BinaryExpression: // "pool" in globalThis
			if name, ok := stringOf(n.Left); ok {
				places = append(places, below(p.paths(Expr{n.Right, e.scope}), name)...)
			} else if n.Operator.String() == "in" {
				places = append(places, below(p.paths(Expr{n.Right, e.scope}), p.key(Expr{n.Left, e.scope}))...)
			}
		case *ast.CallExpression:
			name, of := memberOf(n.Callee)
			arg := func(i int) Expr {
				if i < len(n.ArgumentList) {
					return Expr{n.ArgumentList[i], e.scope}
				}
				return Expr{}
			}
			switch {
			case of == nil:
				places = append(places, p.places(Expr{n, e.scope})...)
			case name == "has" && isName(of, "Reflect") || name == "hasOwn":
				places = append(places, below(p.paths(arg(0)), p.key(arg(1)))...)
			case name == "has" || name == "get" || name == "hasOwnProperty":
				places = append(places, below(p.paths(Expr{of, e.scope}), p.key(arg(0)))...)
			}
		}
		return false
	})
	return places, memo
}

// isMemory tells a variable of a module that may hold what was made before:
// one that is assigned, or a Map or object.
func isMemory(b *binding) bool {
	return b.top && (b.assigned || slices.ContainsFunc(b.defs, func(d def) bool {
		switch d.value.node.(type) {
		case *ast.NewExpression, *ast.ObjectLiteral, *ast.ArrayLiteral:
			return len(d.keys) == 0
		}
		return false
	}))
}

// isRemembered tells whether a function is handed to a package that keeps what
// it makes.
func (p *Code) isRemembered(s *site, from int) bool {
	if from < 1 {
		return false
	}
	call, ok := s.stack[from-1].(*ast.CallExpression)
	return ok && slices.ContainsFunc(p.values(Expr{call.Callee, s.scope}), func(v value) bool { return slices.Contains(rememberers, v.pkg) })
}
