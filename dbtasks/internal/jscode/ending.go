package jscode

import (
	"slices"

	"github.com/dop251/goja/ast"
)

// closers are the methods that end a client's connections.
var closers = []string{"$disconnect", "end", "destroy", "close", "stop", "dispose"}

func isCloser(s *site) (of ast.Node, ok bool) {
	name, of := memberOf(s.callee)
	return of, of != nil && slices.Contains(closers, name)
}

// closedBefore tells whether the client of the evaluation before is closed, and
// the new one put in its place.
func (p *Code) closedBefore(c *Client, stores []store) bool {
	for _, s := range c.Module.sites {
		of, ok := isCloser(s)
		if !ok || p.dead(s.stack, s.Expr) {
			continue
		}
		if around, at := enclosing(s.stack); around != nil && len(p.callersOf(around, s.stack[:at], s.scope)) == 0 {
			continue // a handler, which runs at the process' end
		}
		for _, place := range p.places(Expr{of, s.scope}) {
			if p.storedWhereLooked(way{looks: []string{place}}, stores) != "" {
				return true
			}
		}
	}
	return false
}

// closedWithin tells whether a client that a function makes is closed in it.
func (p *Code) closedWithin(c *Client, ways []way) bool {
	for _, options := range p.optionsOf(c.site, c.class) { // each connection is closed after its one use
		if n, ok := number(p.propertyAt(options, "maxUses").node); ok && n == 1 {
			return true
		}
	}
	for _, n := range c.stack {
		if call, ok := n.(*ast.CallExpression); ok && lastName(call.Callee) == "__using" {
			return true
		}
	}
	for _, w := range ways {
		if !slices.ContainsFunc(w.outside, func(fn ast.Node) bool {
			return slices.ContainsFunc(p.sitesIn(fn), func(s *site) bool {
				of, ok := isCloser(s)
				if ok && !slices.ContainsFunc(s.stack, isHook) && !isGiven(s.stack[slices.Index(s.stack, fn)+1:]) && p.holds(Expr{of, s.scope}, c, 0) {
					return true
				}
				return lastName(s.callee) == "__using" && len(s.args) > 1 && p.holds(Expr{s.args[1], s.scope}, c, 0)
			})
		}) {
			return false
		}
	}
	return len(ways) > 0
}

// isGiven tells a function that the one around it gives to whoever called it, as
// in { close: () => pool.end() }: whether that is called is another question.
func isGiven(within []ast.Node) bool {
	for i := 1; i < len(within); i++ {
		if _, ok := within[i-1].(*ast.PropertyKeyed); ok && isFunction(within[i]) {
			return true
		}
	}
	return false
}

func isFunction(n ast.Node) bool {
	switch n.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		return true
	}
	return false
}

// isHook tells a call that registers what is done when the server ends.
func isHook(n ast.Node) bool {
	call, ok := n.(*ast.CallExpression)
	if !ok {
		return false
	}
	name, of := memberOf(call.Callee)
	return name == "addHook" || name == "hook" || (name == "on" || name == "once") && isName(of, "process")
}

// sitesIn are the calls within a function.
func (p *Code) sitesIn(fn ast.Node) []*site {
	var list []*site
	p.each(func(m *Module) {
		if m.funcs[fn] == nil {
			return
		}
		for _, s := range m.sites {
			if slices.Contains(s.stack, fn) {
				list = append(list, s)
			}
		}
	})
	return list
}

// hearsErrors tells whether somebody listens to "error" of a client.
func (p *Code) hearsErrors(c *Client) bool {
	found := false
	p.each(func(m *Module) {
		for _, s := range m.sites {
			name, of := memberOf(s.callee)
			if found || of == nil || name != "on" && name != "addListener" || len(s.args) < 2 {
				continue
			}
			if event, ok := stringOf(s.args[0]); !ok || event != "error" {
				continue
			}
			at := Expr{of, s.scope}
			found = p.makes(at, c) || isThis(of) && c.class != nil && s.scope.ofClass() == c.class
		}
	})
	return found
}

// closes tells whether a call closes the client, within one of the functions;
// nil functions: anywhere in its own module.
func (p *Code) closes(c *Client, functions map[ast.Node]bool) bool {
	found := false
	p.each(func(m *Module) {
		if found || functions == nil && m != c.Module {
			return
		}
		for _, s := range m.sites {
			if functions != nil && !slices.ContainsFunc(s.stack, func(n ast.Node) bool { return functions[n] }) {
				continue
			}
			if of, ok := isCloser(s); ok && p.holds(Expr{of, s.scope}, c, 0) {
				found = true
				return
			}
		}
	})
	return found
}

// exits tells whether a script ends its process itself.
func exits(m *Module) bool {
	return slices.ContainsFunc(m.sites, func(s *site) bool {
		name, of := memberOf(s.callee)
		return of != nil && name == "exit" && isName(of, "process")
	})
}

// handlers are the functions that are handed to a call that registers picks,
// with those that they call in turn.
func (p *Code) handlers(registers func(s *site) bool) map[ast.Node]bool {
	set := map[ast.Node]bool{}
	var todo []ast.Node
	add := func(v value) {
		if p.functionOf(v) != nil && !set[v.node] {
			set[v.node] = true
			todo = append(todo, v.node)
		}
	}
	p.each(func(m *Module) {
		for node, fn := range m.funcs {
			if lifecycle[fn.name] {
				set[node] = true
			}
		}
		for _, s := range m.sites {
			if !registers(s) {
				continue
			}
			for _, arg := range s.args {
				for _, v := range p.values(Expr{arg, s.scope}) {
					add(v)
					object, ok := v.node.(*ast.ObjectLiteral) // createTerminus(server, { onSignal })
					if !ok {
						continue
					}
					for _, prop := range object.Value {
						if keyed, ok := prop.(*ast.PropertyKeyed); ok {
							for _, v := range p.values(Expr{keyed.Value, v.scope}) {
								add(v)
							}
						}
					}
				}
			}
		}
	})
	for len(todo) > 0 && len(set) < 500 {
		fn := todo[0]
		todo = todo[1:]
		for _, s := range p.sitesIn(fn) {
			for _, v := range p.values(Expr{s.callee, s.scope}) {
				add(v)
			}
		}
	}
	return set
}

// lifecycle are the methods that Nest calls when the application ends.
var lifecycle = map[string]bool{"onModuleDestroy": true, "beforeApplicationShutdown": true, "onApplicationShutdown": true}

// isEnding tells whether a call registers what is done when the process, the
// server or (in Vite) the module ends.
func (p *Code) isEnding(s *site) bool {
	name, of := memberOf(s.callee)
	if of == nil || lastName(s.callee) == "createTerminus" {
		return slices.ContainsFunc(p.values(Expr{s.callee, s.scope}), func(v value) bool {
			return slices.Contains([]string{"close-with-grace", "async-exit-hook", "exit-hook", "@godaddy/terminus", "http-terminator"}, v.pkg)
		})
	}
	event, literal := "", false
	if len(s.args) > 0 {
		event, literal = stringOf(s.args[0])
	}
	switch name {
	case "on", "once", "addListener", "prependListener":
		if p.isProcess(Expr{of, s.scope}) { // a name that is not literal is that of a loop over several
			return !literal || slices.Contains([]string{"SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2", "beforeExit", "sveltekit:shutdown", "disconnect"}, event)
		}
		return literal && (event == "close" || event == "vite:beforeFullReload")
	case "addHook":
		return event == "onClose" || event == "preClose" || event == "close"
	case "dispose", "close":
		return true
	}
	return false
}

// isProcess: the global, or an import of node:process.
func (p *Code) isProcess(e Expr) bool {
	if isName(e.node, "process") && e.scope.lookup("process") == nil {
		return true
	}
	return slices.ContainsFunc(p.values(e), func(v value) bool { return v.pkg == "process" || v.pkg == "node:process" })
}
