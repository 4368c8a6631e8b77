package jscode

import "github.com/dop251/goja/ast"

// Module is one file of the project, and what was found in it.
type Module struct {
	path    string    // relative to the root, with slashes
	sources []*source // a Svelte or Vue file may have two script blocks
	failed  error     // it could not be parsed
	text    string
	specs   []string // what may be imports, by a look at the bytes
	helper  bool     // it was parsed because something in another module led to it

	imports []Import
	scope   *scope // nil: not parsed, because nothing of it matters here
	exports map[string]Expr
	stars   []Expr // export * from
	sites   []*site
	assigns []assign
	funcs   map[ast.Node]*function
	classes map[ast.Node]*class
}

// Path is relative to the project's root, with slashes.
func (m *Module) Path() string { return m.path }

// Text is the file's own text.
func (m *Module) Text() string { return m.text }

// Import is one import, require or dynamic import.
type Import struct {
	Spec   string
	Target *Module // nil: a package, or a file outside of the project
	Line   func() int
}

// scope is a block, function, class or module with the names declared in it.
type scope struct {
	parent *scope
	mod    *Module
	src    *source
	names  map[string]*binding
	fn     ast.Node // set on the scope of a function
	class  *class   // set on the scope of a class's body
}

// binding is a variable: every value it may get.
type binding struct {
	name     string
	top      bool // of the module, not of a function
	assigned bool // also elsewhere than where it is declared
	defs     []def
}

// def is one value of a variable; keys lead from the expression to it where it
// is destructured: const { Pool } = pg.
type def struct {
	value Expr
	keys  []string
}

// Expr is an expression and where it stands.
type Expr struct {
	node  ast.Node
	scope *scope
}

// Found tells whether there is an expression at all.
func (e Expr) Found() bool { return e.node != nil }

// site is a call or a new, with all that it stands in, outermost first.
type site struct {
	Expr
	callee ast.Expression
	args   []ast.Expression
	isNew  bool
	stack  []ast.Node
}

// assign is an assignment to something other than a plain variable.
type assign struct {
	left, right Expr
	stack       []ast.Node
}

type function struct {
	node    ast.Node
	returns []Expr
	params  []ast.Expression // the targets of the parameters
	scope   *scope
	name    string // of a method
	class   *class // whose method or constructor it is
}

// class is what a class declares: members by name, static ones apart.
type class struct {
	node    *ast.ClassLiteral
	scope   *scope
	members map[string][]Expr // fields' values, this.name = …, methods
	statics map[string][]Expr
	getters map[ast.Node]bool // functions whose result a read of the member is
	build   *function         // its constructor; nil: none of its own
	stack   []ast.Node
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
		s.names[name] = &binding{name: name, top: s.function().fn == nil}
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

// ofClass is the class that "this" is an instance of; nil: none.
func (s *scope) ofClass() *class {
	for ; s != nil; s = s.parent {
		if s.class != nil {
			return s.class
		}
		if _, own := s.fn.(*ast.FunctionLiteral); own && s.parent != nil && s.parent.class == nil {
			return nil // a function of its own has its own "this"
		}
	}
	return nil
}

// line is where a node stands, as file and line.
func (e Expr) line() (string, int) {
	for s := e.scope; s != nil; s = s.parent {
		if s.src != nil {
			return s.mod.path, s.src.line(e.node)
		}
	}
	return e.scope.mod.path, 1
}

// Line is where an expression stands, as file and line.
func (e Expr) Line() (string, int) { return e.line() }

// requires lists the imports of a tree: the specifiers of require(), which
// esbuild made of every kind of import.
func requires(src *source) []Import {
	var list []Import
	var visit func(ast.Node)
	visit = func(n ast.Node) {
		if spec, ok := requireOf(n); ok {
			list = append(list, Import{Spec: spec, Line: func() int { return src.line(n) }})
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
