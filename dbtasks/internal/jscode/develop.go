package jscode

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// inDev is what a condition comes to in development: 1 true, -1 false, 0 it
// can't be told.
func (p *Code) inDev(test Expr) int { return p.devTruth(test, 6) }

func (p *Code) devTruth(test Expr, depth int) int {
	if test.node == nil || depth < 0 {
		return 0
	}
	again := func(n ast.Node) int { return p.devTruth(Expr{n, test.scope}, depth-1) }
	switch n := bare(test.node).(type) {
	case *ast.UnaryExpression:
		if n.Operator == token.NOT {
			return -again(n.Operand)
		}
	case *ast.BinaryExpression:
		switch n.Operator {
		case token.LOGICAL_AND:
			return min(again(n.Left), again(n.Right))
		case token.LOGICAL_OR:
			return max(again(n.Left), again(n.Right))
		case token.STRICT_EQUAL, token.EQUAL, token.STRICT_NOT_EQUAL, token.NOT_EQUAL:
			mode, ok := stringOf(n.Right)
			other := n.Left
			if !ok {
				mode, ok = stringOf(n.Left)
				other = n.Right
			}
			if !ok || !p.isMode(Expr{other, test.scope}, depth) {
				return 0
			}
			truth := map[string]int{"production": -1, "prod": -1, "test": -1, "staging": -1, "preview": -1, "development": 1, "dev": 1, "local": 1}[mode]
			if n.Operator == token.STRICT_NOT_EQUAL || n.Operator == token.NOT_EQUAL {
				truth = -truth
			}
			return truth
		}
	case *ast.Identifier:
		if b := test.scope.lookup(n.Name.String()); b != nil && len(b.defs) == 1 && len(b.defs[0].keys) == 0 {
			if truth := p.devTruth(b.defs[0].value, depth-1); truth != 0 {
				return truth
			}
			return 0
		}
		return modeName(n.Name.String())
	case *ast.DotExpression:
		return modeName(n.Identifier.Name.String())
	}
	return 0
}

// modeName is what a flag of this name says in development.
func modeName(name string) int {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
	case "prod", "isprod", "isproduction", "production", "building", "inproduction":
		return -1
	case "dev", "isdev", "isdevelopment", "development", "indevelopment":
		return 1
	}
	return 0
}

// isMode tells whether e is the mode that the process runs in.
func (p *Code) isMode(e Expr, depth int) bool {
	names := []string{"NODE_ENV", "nodeEnv", "MODE", "APP_ENV", "ENV", "VERCEL_ENV", "environment"}
	n := bare(e.node)
	if name, of := memberOf(n); of != nil {
		return slices.Contains(names, name)
	}
	if id, ok := n.(*ast.Identifier); ok && depth > 0 {
		b := e.scope.lookup(id.Name.String())
		if b == nil {
			return slices.Contains(names, id.Name.String())
		}
		for _, d := range b.defs {
			if len(d.keys) > 0 && slices.Contains(names, d.keys[len(d.keys)-1]) || len(d.keys) == 0 && p.isMode(d.value, depth-1) {
				return true
			}
		}
	}
	if logical, ok := n.(*ast.BinaryExpression); ok && isLogical(logical.Operator) {
		return p.isMode(Expr{logical.Left, e.scope}, depth-1)
	}
	return false
}

// dead tells whether e is never reached in development: it stands in the branch
// for production, or behind a return of the one for development.
func (p *Code) dead(stack []ast.Node, e Expr) bool {
	for i, n := range stack {
		next := e.node
		if i+1 < len(stack) {
			next = stack[i+1]
		}
		truth := func(test ast.Node) int { return p.inDev(Expr{test, e.scope}) }
		switch n := n.(type) {
		case *ast.IfStatement:
			if next == ast.Node(n.Consequent) && truth(n.Test) < 0 || n.Alternate != nil && next == ast.Node(n.Alternate) && truth(n.Test) > 0 {
				return true
			}
		case *ast.ConditionalExpression:
			if next == ast.Node(n.Consequent) && truth(n.Test) < 0 || next == ast.Node(n.Alternate) && truth(n.Test) > 0 {
				return true
			}
		case *ast.BinaryExpression:
			if next == ast.Node(n.Right) && (n.Operator == token.LOGICAL_AND && truth(n.Left) < 0 || n.Operator == token.LOGICAL_OR && truth(n.Left) > 0) {
				return true
			}
		case *ast.BlockStatement:
			for _, s := range n.List {
				if ast.Node(s) == next {
					break
				}
				if cond, ok := s.(*ast.IfStatement); ok && returns(cond.Consequent) && truth(cond.Test) > 0 {
					return true
				}
			}
		}
	}
	return false
}

// returns tells whether a statement ends the function on every way through it.
func returns(s ast.Statement) bool {
	switch s := s.(type) {
	case *ast.ReturnStatement, *ast.ThrowStatement:
		return true
	case *ast.BlockStatement:
		return slices.ContainsFunc(s.List, returns)
	case *ast.IfStatement:
		return s.Alternate != nil && returns(s.Consequent) && returns(s.Alternate)
	}
	return false
}
