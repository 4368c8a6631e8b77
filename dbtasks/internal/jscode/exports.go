package jscode

import "github.com/dop251/goja/ast"

// esbuildExports reads what esbuild makes of export: __export(…_exports,
// { name: () => value }) and __reExport(…_exports, require("./x"), …).
func (a *analysis) esbuildExports(call *site) {
	if call.isNew || len(call.args) < 2 {
		return
	}
	switch {
	case isName(call.callee, "__export"):
		object, ok := call.args[1].(*ast.ObjectLiteral)
		if !ok {
			return
		}
		for _, p := range object.Value {
			keyed, ok := p.(*ast.PropertyKeyed)
			if !ok {
				continue
			}
			getter, ok := keyed.Value.(*ast.ArrowFunctionLiteral)
			if !ok {
				continue
			}
			if body, ok := getter.Body.(*ast.ExpressionBody); ok {
				a.m.exports[keyOf(keyed)] = Expr{body.Expression, call.scope}
			}
		}
	case isName(call.callee, "__publicField") && len(call.args) == 3: // a field, where fields are lowered
		if name, ok := stringOf(call.args[1]); ok {
			if c := a.classOf(call.args[0], call.scope); c != nil {
				c.add(name, Expr{call.args[2], call.scope}, !isThis(call.args[0]))
			}
		}
	case isName(call.callee, "__reExport"):
		a.m.stars = append(a.m.stars, Expr{call.args[1], call.scope})
	}
}

// commonJSExport reads module.exports = …, module.exports.name = … and
// exports.name = … of a file that was CommonJS already.
func (a *analysis) commonJSExport(n *ast.AssignExpression, s *scope) {
	name, of := memberOf(n.Left)
	if of == nil {
		return
	}
	if isName(of, "exports") {
		a.m.exports[name] = Expr{n.Right, s}
		return
	}
	if isName(of, "module") && name == "exports" {
		if call, ok := n.Right.(*ast.CallExpression); ok && isName(call.Callee, "__toCommonJS") {
			return
		}
		a.m.exports["default"] = Expr{n.Right, s}
		if object, ok := n.Right.(*ast.ObjectLiteral); ok {
			for _, p := range object.Value {
				switch p := p.(type) {
				case *ast.PropertyShort:
					a.m.exports[p.Name.Name.String()] = Expr{&p.Name, s}
				case *ast.PropertyKeyed:
					a.m.exports[keyOf(p)] = Expr{p.Value, s}
				}
			}
		}
		return
	}
	if inner, base := memberOf(of); inner == "exports" && isName(base, "module") {
		a.m.exports[name] = Expr{n.Right, s}
	}
}

// memberOf splits a.b and a["b"] (also a?.b); of is nil for anything else.
func memberOf(n ast.Node) (name string, of ast.Node) {
	switch n := n.(type) {
	case *ast.OptionalChain:
		return memberOf(n.Expression)
	case *ast.Optional:
		return memberOf(n.Expression)
	case *ast.DotExpression:
		return n.Identifier.Name.String(), bare(n.Left)
	case *ast.PrivateDotExpression:
		return "#" + n.Identifier.Name.String(), bare(n.Left)
	case *ast.BracketExpression:
		if text, ok := stringOf(n.Member); ok {
			return text, bare(n.Left)
		}
		return "?", bare(n.Left)
	}
	return "", nil
}

// bare takes the marks of optional chaining away.
func bare(n ast.Node) ast.Node {
	switch o := n.(type) {
	case *ast.OptionalChain:
		return bare(o.Expression)
	case *ast.Optional:
		return bare(o.Expression)
	}
	return n
}
