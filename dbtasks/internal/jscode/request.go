package jscode

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// spare tells whether a client that is made at each evaluation is used only
// where the kept one is missing: the drivers connect at the first query.
func (p *Code) spare(c *Client) bool {
	return p.spareVariable(c.stack, c.site, 0)
}

func (p *Code) spareVariable(stack []ast.Node, s *site, depth int) bool {
	if around, _ := enclosing(stack); around != nil || depth > 4 {
		return false
	}
	at := slices.IndexFunc(stack, func(n ast.Node) bool { _, ok := n.(*ast.Binding); return ok })
	if at < 0 {
		return false
	}
	id, ok := stack[at].(*ast.Binding).Target.(*ast.Identifier)
	if !ok {
		return false
	}
	name, uses := id.Name.String(), 0
	fine := true
	for _, src := range s.scope.mod.sources {
		usesOf(src.program, name, func(stack []ast.Node, n ast.Node) {
			uses++
			use := &site{Expr: Expr{n, s.scope}, stack: stack}
			_, from := enclosing(stack)
			if places, _ := p.looks(use, from); len(places) > 0 {
				return
			}
			if len(stack) > 1 { // pool.on("error", …) connects nothing
				if member, of := memberOf(stack[len(stack)-1]); of == n && (member == "on" || member == "once" || member == "addListener") {
					return
				}
			}
			fine = fine && p.spareVariable(stack, use, depth+1)
		})
	}
	return fine && uses > 0
}

// usesOf calls f for each use of a name, with what it stands in. A use
// under another declaration of the same name counts as one, too.
func usesOf(n ast.Node, name string, f func(stack []ast.Node, n ast.Node)) {
	var stack []ast.Node
	var visit func(n ast.Node)
	visit = func(n ast.Node) {
		if isName(n, name) && len(stack) > 0 {
			switch parent := stack[len(stack)-1].(type) {
			case *ast.Binding:
				if ast.Node(parent.Target) == n {
					return
				}
			case *ast.PropertyKeyed:
				if ast.Node(parent.Key) == n && !parent.Computed {
					return
				}
			}
			f(slices.Clone(stack), n)
			return
		}
		if short, ok := n.(*ast.PropertyShort); ok && short.Name.Name.String() == name {
			f(slices.Clone(stack), &short.Name)
		}
		stack = append(stack, n)
		children(n, visit)
		stack = stack[:len(stack)-1]
	}
	visit(n)
}

// answers tells whether a function answers requests: by the names of its
// parameters, by what it is handed to, or by the name under which a framework
// looks for it.
func (p *Code) answers(fn ast.Node, s *site) bool {
	f := s.scope.mod.funcs[fn]
	if f == nil {
		return false
	}
	for _, param := range f.params {
		found := false
		names(param, func(name string) {
			found = found || slices.Contains([]string{"req", "request", "_req", "_request", "res", "reply", "ctx", "context", "event", "locals", "cookies"}, name)
		})
		if found {
			return true
		}
	}
	for name, e := range s.scope.mod.exports {
		if slices.Contains(requestNames, name) && slices.ContainsFunc(p.values(e), func(v value) bool { return v.node == fn }) {
			return true
		}
	}
	_, at := enclosing(s.stack)
	if at > 0 && s.stack[at] == fn {
		if call, ok := s.stack[at-1].(*ast.CallExpression); ok {
			name, of := memberOf(call.Callee)
			if of != nil && slices.Contains([]string{"get", "post", "put", "patch", "delete", "all", "use", "query", "mutation", "handler"}, name) || name == "" && slices.Contains([]string{"defineEventHandler", "eventHandler"}, lastName(call.Callee)) {
				path, ok := "", false
				if len(call.ArgumentList) > 0 {
					path, ok = stringOf(call.ArgumentList[0])
				}
				return !ok || strings.HasPrefix(path, "/") || path == "*"
			}
		}
	}
	return false
}

var requestNames = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "handle", "load", "loader", "action", "actions", "getServerSideProps", "middleware", "createContext", "createTRPCContext", "fetch"}
