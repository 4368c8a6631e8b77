package checklist

import "github.com/dop251/goja/ast"

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
