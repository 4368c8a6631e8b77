package jscode

import (
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// analyse fills the module's scopes, sites, assignments and exports.
func (m *Module) analyse() {
	m.exports, m.funcs, m.classes = map[string]Expr{}, map[ast.Node]*function{}, map[ast.Node]*class{}
	m.scope = &scope{mod: m}
	for _, src := range m.sources {
		a := &analysis{m: m}
		// Blocks of one file share their names: <script module> and <script>.
		top := &scope{parent: m.scope, mod: m, src: src, names: m.scope.declared()}
		a.hoist(src.program, top)
		a.visit(src.program, top)
		m.scope.names = top.names
	}
	if len(m.sources) == 1 {
		m.scope.src = m.sources[0]
	}
}

func (s *scope) declared() map[string]*binding {
	if s.names == nil {
		s.names = map[string]*binding{}
	}
	return s.names
}

type analysis struct {
	m     *Module
	stack []ast.Node
}

// hoist declares what a block, function or module declares, before its
// statements are looked at: a function may be used above its text.
func (a *analysis) hoist(n ast.Node, s *scope) {
	children(n, func(c ast.Node) {
		switch c := c.(type) {
		case *ast.FunctionDeclaration:
			if c.Function.Name != nil {
				b := s.declare(c.Function.Name.Name.String())
				b.defs = append(b.defs, def{value: Expr{c.Function, s}})
			}
		case *ast.ClassDeclaration:
			if c.Class.Name != nil {
				b := s.declare(c.Class.Name.Name.String())
				b.defs = append(b.defs, def{value: Expr{c.Class, s}})
			}
		case *ast.LexicalDeclaration:
			for _, b := range c.List {
				names(b.Target, func(name string) { s.declare(name) })
			}
		}
	})
}

// hoistVars declares the var variables of a function, those of its inner blocks too.
func (a *analysis) hoistVars(n ast.Node, s *scope) {
	switch n := n.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral, *ast.ClassLiteral:
		return
	case *ast.VariableStatement:
		for _, b := range n.List {
			names(b.Target, func(name string) { s.declare(name) })
		}
	case *ast.ForLoopInitializerVarDeclList:
		for _, b := range n.List {
			names(b.Target, func(name string) { s.declare(name) })
		}
	case *ast.ForIntoVar:
		names(n.Binding.Target, func(name string) { s.declare(name) })
	}
	children(n, func(c ast.Node) { a.hoistVars(c, s) })
}

// names calls f for each name that a target binds.
func names(target ast.Node, f func(string)) {
	targets(target, nil, func(name string, _ []string) { f(name) })
}

// targets calls f for each name that a target binds, with the keys that lead
// to its value; a key that can't be told is "?".
func targets(target ast.Node, keys []string, f func(string, []string)) {
	with := func(key string) []string { return append(keys[:len(keys):len(keys)], key) }
	switch t := target.(type) {
	case *ast.Identifier:
		f(t.Name.String(), keys)
	case *ast.ObjectPattern:
		for _, p := range t.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				f(p.Name.Name.String(), with(p.Name.Name.String()))
			case *ast.PropertyKeyed:
				targets(p.Value, with(keyOf(p)), f)
			}
		}
		if t.Rest != nil {
			targets(t.Rest, keys, f)
		}
	case *ast.ArrayPattern:
		for _, e := range t.Elements {
			if e != nil {
				targets(e, with("?"), f)
			}
		}
		if t.Rest != nil {
			targets(t.Rest, with("?"), f)
		}
	case *ast.AssignExpression: // a default value
		targets(t.Left, keys, f)
	case *ast.Binding:
		targets(t.Target, keys, f)
	}
}

func keyOf(p *ast.PropertyKeyed) string {
	if id, ok := p.Key.(*ast.Identifier); ok && !p.Computed {
		return id.Name.String()
	}
	if text, ok := stringOf(p.Key); ok {
		return text
	}
	return "?"
}

// bind gives the names of target the values of value.
func (a *analysis) bind(target ast.Node, value Expr, s *scope) {
	targets(target, nil, func(name string, keys []string) {
		b := s.lookup(name)
		if b == nil {
			b = s.declare(name)
		}
		b.defs = append(b.defs, def{value, keys})
	})
	if pattern, ok := target.(*ast.ObjectPattern); ok { // const { pool = new Pool() } = …
		for _, p := range pattern.Properties {
			if short, ok := p.(*ast.PropertyShort); ok && short.Initializer != nil {
				b := s.lookup(short.Name.Name.String())
				b.defs = append(b.defs, def{value: Expr{short.Initializer, s}})
			}
		}
	}
}

func (a *analysis) visit(n ast.Node, s *scope) {
	switch n := n.(type) {
	case *ast.Program:
		a.hoistVars(n, s)
	case *ast.BlockStatement, *ast.ForStatement, *ast.ForInStatement, *ast.ForOfStatement, *ast.CaseStatement, *ast.CatchStatement:
		s = &scope{parent: s, mod: a.m, src: s.src}
		a.hoist(n, s)
	case *ast.ClassLiteral:
		a.class(n, s)
		return
	case *ast.FunctionLiteral:
		a.function(n, n.Name, n.ParameterList, n.Body, s)
		return
	case *ast.ArrowFunctionLiteral:
		a.function(n, nil, n.ParameterList, n.Body, s)
		return
	case *ast.ForDeclaration:
		names(n.Target, func(name string) { s.declare(name) })
	case *ast.ForLoopInitializerLexicalDecl:
		for _, b := range n.LexicalDeclaration.List {
			names(b.Target, func(name string) { s.declare(name) })
		}
	case *ast.Binding:
		if n.Initializer != nil {
			a.bind(n.Target, Expr{n.Initializer, s}, s)
		}
	case *ast.AssignExpression:
		a.assign(n, s)
	case *ast.ReturnStatement:
		if fn := a.m.funcs[s.function().fn]; fn != nil && n.Argument != nil {
			fn.returns = append(fn.returns, Expr{n.Argument, s})
		}
	case *ast.CallExpression:
		a.site(&site{Expr: Expr{n, s}, callee: n.Callee, args: n.ArgumentList})
	case *ast.NewExpression:
		a.site(&site{Expr: Expr{n, s}, callee: n.Callee, args: n.ArgumentList, isNew: true})
	}
	a.stack = append(a.stack, n)
	children(n, func(c ast.Node) { a.visit(c, s) })
	a.stack = a.stack[:len(a.stack)-1]
}

func (a *analysis) site(site *site) {
	site.stack = append([]ast.Node(nil), a.stack...)
	a.m.sites = append(a.m.sites, site)
	a.esbuildExports(site)
}

func (a *analysis) function(n ast.Node, name *ast.Identifier, params *ast.ParameterList, body ast.Node, s *scope) {
	fs := &scope{parent: s, mod: a.m, src: s.src, fn: n}
	fn := &function{node: n, scope: fs}
	a.m.funcs[n] = fn
	if name != nil {
		b := fs.declare(name.Name.String())
		b.defs = append(b.defs, def{value: Expr{n, s}})
	}
	a.stack = append(a.stack, n)
	defer func() { a.stack = a.stack[:len(a.stack)-1] }()
	if params != nil {
		for _, p := range params.List {
			names(p.Target, func(name string) { fs.declare(name) })
			fn.params = append(fn.params, p.Target)
			a.visit(p, fs)
		}
		if params.Rest != nil {
			names(params.Rest, func(name string) { fs.declare(name) })
		}
	}
	if e, ok := body.(*ast.ExpressionBody); ok {
		fn.returns = append(fn.returns, Expr{e.Expression, fs})
	}
	a.hoistVars(body, fs)
	a.visit(body, fs)
}

func (a *analysis) assign(n *ast.AssignExpression, s *scope) {
	switch left := n.Left.(type) {
	case *ast.Identifier, *ast.ObjectPattern, *ast.ArrayPattern:
		if n.Operator == token.ASSIGN || isLogical(n.Operator) {
			a.bind(left, Expr{n.Right, s}, s)
			names(left, func(name string) { s.lookup(name).assigned = true })
		}
		return
	}
	a.m.assigns = append(a.m.assigns, assign{Expr{n.Left, s}, Expr{n.Right, s}, append(append([]ast.Node(nil), a.stack...), n)})
	if name, of := memberOf(n.Left); of != nil { // this.pool = …, and Db.pool = … beside its class
		if c := a.classOf(of, s); c != nil {
			c.add(name, Expr{n.Right, s}, !isThis(of))
		}
	}
	a.commonJSExport(n, s)
}

// isLogical: ?? || &&, in an expression and in an assignment.
func isLogical(operator token.Token) bool {
	return operator == token.COALESCE || operator == token.LOGICAL_OR || operator == token.LOGICAL_AND
}
