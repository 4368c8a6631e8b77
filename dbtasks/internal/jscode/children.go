package jscode

import "github.com/dop251/goja/ast"

// children calls f for each node directly below n, in the order of the text.
func children(n ast.Node, f func(ast.Node)) {
	expr := func(list ...ast.Expression) {
		for _, e := range list {
			if e != nil {
				f(e)
			}
		}
	}
	stmt := func(list ...ast.Statement) {
		for _, s := range list {
			if s != nil {
				f(s)
			}
		}
	}
	block := func(b *ast.BlockStatement) {
		if b != nil {
			f(b)
		}
	}
	bindings := func(list []*ast.Binding) {
		for _, b := range list {
			f(b)
		}
	}
	params := func(p *ast.ParameterList) {
		if p != nil {
			bindings(p.List)
			expr(p.Rest)
		}
	}
	switch n := n.(type) {
	case *ast.Program:
		stmt(n.Body...)
	case *ast.Binding:
		expr(n.Target, n.Initializer)
	case *ast.YieldExpression:
		expr(n.Argument)
	case *ast.AwaitExpression:
		expr(n.Argument)
	case *ast.ArrayLiteral:
		expr(n.Value...)
	case *ast.ArrayPattern:
		expr(n.Elements...)
		expr(n.Rest)
	case *ast.AssignExpression:
		expr(n.Left, n.Right)
	case *ast.BinaryExpression:
		expr(n.Left, n.Right)
	case *ast.BracketExpression:
		expr(n.Left, n.Member)
	case *ast.CallExpression:
		expr(n.Callee)
		expr(n.ArgumentList...)
	case *ast.NewExpression:
		expr(n.Callee)
		expr(n.ArgumentList...)
	case *ast.ConditionalExpression:
		expr(n.Test, n.Consequent, n.Alternate)
	case *ast.DotExpression:
		expr(n.Left)
	case *ast.PrivateDotExpression:
		expr(n.Left)
	case *ast.OptionalChain:
		expr(n.Expression)
	case *ast.Optional:
		expr(n.Expression)
	case *ast.FunctionLiteral:
		params(n.ParameterList)
		block(n.Body)
	case *ast.ArrowFunctionLiteral:
		params(n.ParameterList)
		if n.Body != nil {
			f(n.Body)
		}
	case *ast.ExpressionBody:
		expr(n.Expression)
	case *ast.ClassLiteral:
		expr(n.SuperClass)
		for _, e := range n.Body {
			f(e)
		}
	case *ast.FieldDefinition:
		expr(n.Key, n.Initializer)
	case *ast.MethodDefinition:
		expr(n.Key)
		if n.Body != nil {
			f(n.Body)
		}
	case *ast.ClassStaticBlock:
		block(n.Block)
	case *ast.ObjectLiteral:
		for _, p := range n.Value {
			f(p)
		}
	case *ast.ObjectPattern:
		for _, p := range n.Properties {
			f(p)
		}
		expr(n.Rest)
	case *ast.PropertyShort:
		expr(n.Initializer)
	case *ast.PropertyKeyed:
		expr(n.Key, n.Value)
	case *ast.SpreadElement:
		expr(n.Expression)
	case *ast.SequenceExpression:
		expr(n.Sequence...)
	case *ast.TemplateLiteral:
		expr(n.Tag)
		expr(n.Expressions...)
	case *ast.UnaryExpression:
		expr(n.Operand)
	case *ast.BlockStatement:
		stmt(n.List...)
	case *ast.CaseStatement:
		expr(n.Test)
		stmt(n.Consequent...)
	case *ast.CatchStatement:
		expr(n.Parameter)
		block(n.Body)
	case *ast.DoWhileStatement:
		stmt(n.Body)
		expr(n.Test)
	case *ast.ExpressionStatement:
		expr(n.Expression)
	case *ast.ForInStatement:
		f(n.Into)
		expr(n.Source)
		stmt(n.Body)
	case *ast.ForOfStatement:
		f(n.Into)
		expr(n.Source)
		stmt(n.Body)
	case *ast.ForIntoVar:
		f(n.Binding)
	case *ast.ForDeclaration:
		expr(n.Target)
	case *ast.ForIntoExpression:
		expr(n.Expression)
	case *ast.ForStatement:
		if n.Initializer != nil {
			f(n.Initializer)
		}
		expr(n.Test, n.Update)
		stmt(n.Body)
	case *ast.ForLoopInitializerExpression:
		expr(n.Expression)
	case *ast.ForLoopInitializerVarDeclList:
		bindings(n.List)
	case *ast.ForLoopInitializerLexicalDecl:
		bindings(n.LexicalDeclaration.List)
	case *ast.IfStatement:
		expr(n.Test)
		stmt(n.Consequent, n.Alternate)
	case *ast.LabelledStatement:
		stmt(n.Statement)
	case *ast.ReturnStatement:
		expr(n.Argument)
	case *ast.SwitchStatement:
		expr(n.Discriminant)
		for _, c := range n.Body {
			f(c)
		}
	case *ast.ThrowStatement:
		expr(n.Argument)
	case *ast.TryStatement:
		block(n.Body)
		if n.Catch != nil {
			f(n.Catch)
		}
		block(n.Finally)
	case *ast.VariableStatement:
		bindings(n.List)
	case *ast.LexicalDeclaration:
		bindings(n.List)
	case *ast.WhileStatement:
		expr(n.Test)
		stmt(n.Body)
	case *ast.WithStatement:
		expr(n.Object)
		stmt(n.Body)
	case *ast.FunctionDeclaration:
		f(n.Function)
	case *ast.ClassDeclaration:
		f(n.Class)
	}
}

// anywhere tells whether hit holds for n or a node below it.
func anywhere(n ast.Node, hit func(ast.Node) bool) bool {
	if hit(n) {
		return true
	}
	found := false
	children(n, func(c ast.Node) { found = found || anywhere(c, hit) })
	return found
}
