package checklist

import (
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// module is one file of the project, and what was found in it.
type module struct {
	path    string    // relative to the root, with slashes
	sources []*source // a Svelte or Vue file may have two script blocks
	failed  error     // it could not be parsed
	text    string
	source  bool     // it is a source file of the project's own
	specs   []string // what may be imports, by a look at the bytes

	imports []imported
	scope   *scope
	exports map[string]expr
	stars   []expr // export * from
	sites   []*site
	assigns []assign
	funcs   map[ast.Node]*function
	methods map[ast.Node]string // names of the functions that are methods
}

// imported is one import, require or dynamic import.
type imported struct {
	spec   string
	at     ast.Node
	src    *source
	target *module // nil: a package, or a file outside of the project
}

// scope is a block, function or module with the names declared in it.
type scope struct {
	parent *scope
	mod    *module
	src    *source
	names  map[string]*binding
	fn     ast.Node // set on the scope of a function
}

// binding is a variable: every value it may get.
type binding struct {
	defs []def
}

// def is one value of a variable; keys lead from the expression to it where it
// is destructured: const { Pool } = pg.
type def struct {
	value expr
	keys  []string
}

// expr is an expression and where it stands.
type expr struct {
	node  ast.Node
	scope *scope
}

// site is a call or a new, with all that it stands in, outermost first.
type site struct {
	expr
	callee ast.Expression
	args   []ast.Expression
	isNew  bool
	stack  []ast.Node
}

// assign is an assignment to something other than a plain variable.
type assign struct {
	left, right expr
	stack       []ast.Node
}

type function struct {
	returns []expr
	params  []string // plain parameters' names, "" for a pattern
	scope   *scope
}

func (s *scope) lookup(name string) *binding {
	for ; s != nil; s = s.parent {
		if b := s.names[name]; b != nil {
			return b
		}
	}
	return nil
}

func (s *scope) declare(name string) *binding {
	if s.names == nil {
		s.names = map[string]*binding{}
	}
	if s.names[name] == nil {
		s.names[name] = &binding{}
	}
	return s.names[name]
}

// function is the nearest function's or the module's scope, where var goes.
func (s *scope) function() *scope {
	for s.fn == nil && s.parent != nil {
		s = s.parent
	}
	return s
}

// requires lists the imports of a tree: the specifiers of require(), which
// esbuild made of every kind of import.
func requires(src *source) []imported {
	var list []imported
	var visit func(ast.Node)
	visit = func(n ast.Node) {
		if call, ok := n.(*ast.CallExpression); ok {
			if spec, ok := requireOf(call); ok {
				list = append(list, imported{spec: spec, at: call, src: src})
			}
		}
		children(n, visit)
	}
	visit(src.program)
	return list
}

func requireOf(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpression)
	if !ok || len(call.ArgumentList) == 0 || !isName(call.Callee, "require") {
		return "", false
	}
	return stringOf(call.ArgumentList[0])
}

func isName(n ast.Node, name string) bool {
	id, ok := n.(*ast.Identifier)
	return ok && id.Name.String() == name
}

// stringOf is the value of a string, or of a template without expressions.
func stringOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringLiteral:
		return n.Value.String(), true
	case *ast.TemplateLiteral:
		if n.Tag == nil && len(n.Expressions) == 0 && len(n.Elements) == 1 {
			return n.Elements[0].Parsed.String(), true
		}
	}
	return "", false
}

// analyse fills the module's scopes, sites, assignments and exports.
func (m *module) analyse() {
	m.exports, m.funcs, m.methods = map[string]expr{}, map[ast.Node]*function{}, map[ast.Node]string{}
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
	m     *module
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
				b.defs = append(b.defs, def{value: expr{c.Function, s}})
			}
		case *ast.ClassDeclaration:
			if c.Class.Name != nil {
				b := s.declare(c.Class.Name.Name.String())
				b.defs = append(b.defs, def{value: expr{c.Class, s}})
			}
		case *ast.LexicalDeclaration:
			for _, b := range c.List {
				a.names(b.Target, func(name string) { s.declare(name) })
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
			a.names(b.Target, func(name string) { s.declare(name) })
		}
	case *ast.ForLoopInitializerVarDeclList:
		for _, b := range n.List {
			a.names(b.Target, func(name string) { s.declare(name) })
		}
	case *ast.ForIntoVar:
		a.names(n.Binding.Target, func(name string) { s.declare(name) })
	}
	children(n, func(c ast.Node) { a.hoistVars(c, s) })
}

// names calls f for each name that a target binds.
func (a *analysis) names(target ast.Node, f func(string)) {
	a.targets(target, nil, func(name string, _ []string) { f(name) })
}

// targets calls f for each name that a target binds, with the keys that lead
// to its value; a key that can't be told is "?".
func (a *analysis) targets(target ast.Node, keys []string, f func(string, []string)) {
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
				a.targets(p.Value, with(keyOf(p)), f)
			}
		}
		if t.Rest != nil {
			a.targets(t.Rest, keys, f)
		}
	case *ast.ArrayPattern:
		for _, e := range t.Elements {
			if e != nil {
				a.targets(e, with("?"), f)
			}
		}
		if t.Rest != nil {
			a.targets(t.Rest, with("?"), f)
		}
	case *ast.AssignExpression: // a default value
		a.targets(t.Left, keys, f)
	case *ast.Binding:
		a.targets(t.Target, keys, f)
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
func (a *analysis) bind(target ast.Node, value expr, s *scope) {
	a.targets(target, nil, func(name string, keys []string) {
		b := s.lookup(name)
		if b == nil {
			b = s.declare(name)
		}
		b.defs = append(b.defs, def{value, keys})
	})
}

func (a *analysis) visit(n ast.Node, s *scope) {
	switch n := n.(type) {
	case *ast.Program:
		a.hoistVars(n, s)
	case *ast.BlockStatement, *ast.ForStatement, *ast.ForInStatement, *ast.ForOfStatement, *ast.CaseStatement, *ast.CatchStatement:
		s = &scope{parent: s, mod: a.m, src: s.src}
		a.hoist(n, s)
	case *ast.MethodDefinition:
		if id, ok := n.Key.(*ast.Identifier); ok && !n.Computed {
			a.m.methods[n.Body] = id.Name.String()
		} else if text, ok := stringOf(n.Key); ok {
			a.m.methods[n.Body] = text
		}
	case *ast.FunctionLiteral:
		a.function(n, n.Name, n.ParameterList, n.Body, s)
		return
	case *ast.ArrowFunctionLiteral:
		a.function(n, nil, n.ParameterList, n.Body, s)
		return
	case *ast.ForDeclaration:
		a.names(n.Target, func(name string) { s.declare(name) })
	case *ast.ForLoopInitializerLexicalDecl:
		for _, b := range n.LexicalDeclaration.List {
			a.names(b.Target, func(name string) { s.declare(name) })
		}
	case *ast.Binding:
		if n.Initializer != nil {
			a.bind(n.Target, expr{n.Initializer, s}, s)
		}
	case *ast.AssignExpression:
		a.assign(n, s)
	case *ast.ReturnStatement:
		if fn := a.m.funcs[s.function().fn]; fn != nil && n.Argument != nil {
			fn.returns = append(fn.returns, expr{n.Argument, s})
		}
	case *ast.CallExpression:
		a.site(&site{expr: expr{n, s}, callee: n.Callee, args: n.ArgumentList})
	case *ast.NewExpression:
		a.site(&site{expr: expr{n, s}, callee: n.Callee, args: n.ArgumentList, isNew: true})
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
	fn := &function{scope: fs}
	a.m.funcs[n] = fn
	if name != nil {
		b := fs.declare(name.Name.String())
		b.defs = append(b.defs, def{value: expr{n, s}})
	}
	a.stack = append(a.stack, n)
	defer func() { a.stack = a.stack[:len(a.stack)-1] }()
	if params != nil {
		for _, p := range params.List {
			a.names(p.Target, func(name string) { fs.declare(name) })
			plain := ""
			if id, ok := p.Target.(*ast.Identifier); ok {
				plain = id.Name.String()
			}
			fn.params = append(fn.params, plain)
			a.visit(p, fs)
		}
		if params.Rest != nil {
			a.names(params.Rest, func(name string) { fs.declare(name) })
		}
	}
	if e, ok := body.(*ast.ExpressionBody); ok {
		fn.returns = append(fn.returns, expr{e.Expression, fs})
	}
	a.hoistVars(body, fs)
	a.visit(body, fs)
}

func (a *analysis) assign(n *ast.AssignExpression, s *scope) {
	switch left := n.Left.(type) {
	case *ast.Identifier, *ast.ObjectPattern, *ast.ArrayPattern:
		if n.Operator == token.ASSIGN || isLogical(n.Operator) {
			a.bind(left, expr{n.Right, s}, s)
		}
		return
	}
	a.m.assigns = append(a.m.assigns, assign{expr{n.Left, s}, expr{n.Right, s}, append(append([]ast.Node(nil), a.stack...), n)})
	a.commonJSExport(n, s)
}

// isLogical: ?? || &&, in an expression and in an assignment.
func isLogical(operator token.Token) bool {
	return operator == token.COALESCE || operator == token.LOGICAL_OR || operator == token.LOGICAL_AND
}
