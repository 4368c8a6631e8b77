package jscode

import (
	"slices"
	"unicode/utf16"

	"github.com/dop251/goja/ast"
)

// Literal is the object that all of a tool's settings stand in, where there is
// one and nothing else is taken over into it: the place behind its opening brace,
// in bytes of the module's text, and its keys. ok is false where it can't be told
// what a key that is added there would change.
func (t *Config) Literal() (behind int, keys []string, ok bool) {
	e, object := t.p.oneObject(t.Module.exports["default"], 0)
	if object == nil {
		return 0, nil, false
	}
	for _, prop := range object.Value {
		switch prop := prop.(type) {
		case *ast.PropertyShort:
			keys = append(keys, prop.Name.Name.String())
		case *ast.PropertyKeyed:
			if keys = append(keys, keyOf(prop)); keys[len(keys)-1] == "?" {
				return 0, nil, false
			}
		default: // ...others
			return 0, nil, false
		}
	}
	at, ok := t.Module.offsetOf(e)
	if !ok || t.Module.text[at] != '{' {
		return 0, nil, false
	}
	return at + 1, keys, true
}

// oneObject follows an expression to the one object literal that it is:
// itself, defineConfig's argument, what a function returns.
func (p *Code) oneObject(e Expr, depth int) (Expr, *ast.ObjectLiteral) {
	if e.node == nil || depth > 5 {
		return Expr{}, nil
	}
	found := p.values(e)
	if len(found) != 1 {
		return Expr{}, nil
	}
	v := found[0]
	switch n := v.node.(type) {
	case *ast.ObjectLiteral:
		return v.Expr, n
	case *ast.CallExpression:
		if lastName(n.Callee) == "defineConfig" && len(n.ArgumentList) == 1 {
			return p.oneObject(Expr{n.ArgumentList[0], v.scope}, depth+1)
		}
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		if fn := p.functionOf(v); fn != nil && len(fn.returns) == 1 {
			return p.oneObject(fn.returns[0], depth+1)
		}
	}
	return Expr{}, nil
}

// offsetOf is where an expression of the module begins, in bytes of its text.
func (m *Module) offsetOf(e Expr) (int, bool) {
	i := slices.IndexFunc(m.sources, func(src *source) bool { return e.in(src) })
	if i < 0 {
		return 0, false
	}
	line, column, exact := m.sources[i].original(e.node)
	starts := lineStarts(m.text)
	if line += m.sources[i].offset; !exact || line < 1 || line > len(starts) {
		return 0, false
	}
	at := starts[line-1]
	for _, r := range m.text[at:] {
		if column <= 0 {
			break
		}
		column -= max(utf16.RuneLen(r), 1)
		at += len(string(r))
	}
	return at, column == 0 && at < len(m.text)
}

// in tells whether an expression stands in a source.
func (e Expr) in(src *source) bool {
	for s := e.scope; s != nil; s = s.parent {
		if s.src != nil {
			return s.src == src
		}
	}
	return false
}
