package jscode

import (
	"strconv"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
)

// parseJSON reads JSON that may have comments and trailing commas, as
// tsconfig.json does: an object literal of JavaScript.
func parseJSON(text string) (*source, ast.Expression) {
	if tooDeep(text) != nil {
		return nil, nil
	}
	code := "(" + text + "\n)"
	program, err := parser.ParseFile(nil, "", code, 0, parser.WithDisableSourceMaps)
	if err != nil || len(program.Body) != 1 {
		return nil, nil
	}
	statement, ok := program.Body[0].(*ast.ExpressionStatement)
	if !ok {
		return nil, nil
	}
	return &source{program: program, code: code, starts: lineStarts(code), direct: true}, statement.Expression
}

// get is the value below keys of an object literal; nil when it is not there.
func get(n ast.Node, keys ...string) ast.Node {
	for _, key := range keys {
		object, ok := n.(*ast.ObjectLiteral)
		if !ok {
			return nil
		}
		n = nil
		for _, p := range object.Value {
			if keyed, ok := p.(*ast.PropertyKeyed); ok && keyOf(keyed) == key {
				n = keyed.Value
			}
		}
	}
	return n
}

// text is the string below keys; empty when there is none.
func text(n ast.Node, keys ...string) string {
	s, _ := stringOf(get(n, keys...))
	return s
}

// stringsIn are the strings of a list, or the one string.
func stringsIn(n ast.Node) []string {
	if one, ok := stringOf(n); ok {
		return []string{one}
	}
	var list []string
	if array, ok := n.(*ast.ArrayLiteral); ok {
		for _, e := range array.Value {
			if s, ok := stringOf(e); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// number is the value of a numeric literal.
func number(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.NumberLiteral:
		switch v := n.Value.(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, true
		}
	case *ast.UnaryExpression:
		if v, ok := number(n.Operand); ok && n.Operator == token.MINUS {
			return -v, true
		}
	case *ast.StringLiteral:
		v, err := strconv.ParseFloat(n.Value.String(), 64)
		return v, err == nil
	}
	return 0, false
}

func boolean(n ast.Node) (value, ok bool) {
	switch n := n.(type) {
	case *ast.BooleanLiteral:
		return n.Value, true
	case *ast.UnaryExpression: // esbuild writes true as !0 where it shortens
		if v, ok := number(n.Operand); ok && n.Operator == token.NOT {
			return v == 0, true
		}
	}
	return false, false
}
