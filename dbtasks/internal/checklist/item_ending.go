package checklist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// endings: a pool hears errors, and the client disconnects when the process ends.
func (c *check) endings(i *Item) {
	if c.noClient(i) {
		return
	}
	p := c.project
	handlers := p.handlers(isEnding)
	told := map[kind]bool{}
	for _, made := range c.clients {
		file, line := made.line()
		name := c.nameOf(made)
		switch {
		case made.role == roleScript && !p.closes(made, nil) && !p.exits(made.module):
			i.wrong(file, line, fmt.Sprintf("%s is never closed in this script", made.kind),
				"The process stays, with its connections, until they are idle long enough.", fmt.Sprintf("await %s;", closeCall(made.kind, name)))
		case made.module != c.home.module || told[made.kind]:
		default:
			told[made.kind] = true
			if c.needsListener(made) && !p.hearsErrors(made) {
				i.wrong(file, line, fmt.Sprintf("%s has no error listener", made.kind),
					"When the server ends an idle session, a pool of node-postgres without one throws, and the dev server crashes.",
					fmt.Sprintf("%s.on('error', (error) => console.error(error.message));", poolName(made.kind, name)))
			}
			if !c.closedBySame(made, handlers) {
				i.wrong(file, line, fmt.Sprintf("%s is not disconnected when the process ends", made.kind),
					"Until the server notices, its slots stay taken by a process that is gone.",
					fmt.Sprintf("for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => %s.finally(() => process.exit()));", closeCall(made.kind, name)))
			}
		}
	}
	i.Summary = "errors are heard, and the process disconnects when it ends"
}

// closedBySame: a client and its twin in the branch for production have one name.
func (c *check) closedBySame(made *client, handlers map[ast.Node]bool) bool {
	return slices.ContainsFunc(c.clients, func(other *client) bool {
		return other.module == made.module && other.kind == made.kind && c.project.closes(other, handlers)
	})
}

func (c *check) needsListener(made *client) bool {
	return made.kind == kindPool || made.kind == kindDrizzle && drizzleDriver(c.drizzleOf(made)) == "pg"
}

func closeCall(k kind, name string) string {
	switch k {
	case kindPrisma:
		return name + ".$disconnect()"
	case kindDrizzle:
		return name + ".$client.end()"
	}
	return name + ".end()"
}

func poolName(k kind, name string) string {
	if k == kindDrizzle {
		return name + ".$client"
	}
	return name
}

// nameOf is the variable that holds a client, by its name in the user's file.
func (c *check) nameOf(made *client) string {
	var names []string
	for name, b := range made.module.scope.names {
		if strings.HasPrefix(name, "stdin_") || strings.HasPrefix(name, "import_") { // esbuild's own
			continue
		}
		for _, d := range b.defs {
			if _, isFunction := made.module.funcs[d.value.node]; !isFunction && len(d.keys) == 0 && c.project.makes(d.value, made) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return variableName(made.kind)
	}
	slices.Sort(names)
	return names[0]
}

// hearsErrors tells whether somebody listens: pool.on("error", …).
func (p *project) hearsErrors(made *client) bool {
	found := false
	p.each(func(m *module) {
		for _, s := range m.sites {
			name, of := memberOf(s.callee)
			if found || of == nil || name != "on" && name != "addListener" || len(s.args) < 2 {
				continue
			}
			if event, ok := stringOf(s.args[0]); ok && event == "error" && p.makes(expr{of, s.scope}, made) {
				found = true
			}
		}
	})
	return found
}

// closes tells whether a call closes the client, within one of the functions;
// nil functions: anywhere in its own module.
func (p *project) closes(made *client, functions map[ast.Node]bool) bool {
	found := false
	p.each(func(m *module) {
		if functions == nil && m != made.module {
			return
		}
		for _, s := range m.sites {
			if found || functions != nil && !slices.ContainsFunc(s.stack, func(n ast.Node) bool { return functions[n] }) {
				continue
			}
			name, of := memberOf(s.callee)
			if of != nil && (name == "$disconnect" || name == "end" || name == "destroy") && p.makes(expr{of, s.scope}, made) {
				found = true
			}
		}
	})
	return found
}

// exits tells whether a script ends its process itself.
func (p *project) exits(m *module) bool {
	return slices.ContainsFunc(m.sites, func(s *site) bool {
		name, of := memberOf(s.callee)
		return of != nil && name == "exit" && isName(of, "process")
	})
}

// handlers are the functions that are handed to a call that registers picks,
// with those that they call in turn.
func (p *project) handlers(registers func(p *project, s *site) bool) map[ast.Node]bool {
	set := map[ast.Node]bool{}
	var todo []ast.Node
	add := func(v value) {
		if p.functionOf(v) != nil && !set[v.node] {
			set[v.node] = true
			todo = append(todo, v.node)
		}
	}
	p.each(func(m *module) {
		for fn := range m.funcs {
			if lifecycle[m.methods[fn]] {
				set[fn] = true
			}
		}
		for _, s := range m.sites {
			if registers(p, s) {
				for _, arg := range s.args {
					for _, v := range p.values(expr{arg, s.scope}) {
						add(v)
					}
				}
			}
		}
	})
	for len(todo) > 0 {
		fn := todo[0]
		todo = todo[1:]
		p.each(func(m *module) {
			if m.funcs[fn] == nil {
				return
			}
			for _, s := range m.sites {
				if contains(s.stack, fn) {
					for _, v := range p.values(expr{s.callee, s.scope}) {
						add(v)
					}
				}
			}
		})
	}
	return set
}

// lifecycle are the methods that Nest calls when the application ends.
var lifecycle = map[string]bool{"onModuleDestroy": true, "beforeApplicationShutdown": true, "onApplicationShutdown": true}

// isEnding tells whether a call registers what is done when the process, the
// server or (in Vite) the module ends.
func isEnding(p *project, s *site) bool {
	name, of := memberOf(s.callee)
	if of == nil {
		for _, v := range p.values(expr{s.callee, s.scope}) {
			if v.pkg == "close-with-grace" || v.pkg == "async-exit-hook" || v.pkg == "exit-hook" {
				return true
			}
		}
		return false
	}
	event, literal := "", false
	if len(s.args) > 0 {
		event, literal = stringOf(s.args[0])
	}
	switch name {
	case "on", "once", "addListener", "prependListener":
		if isProcess(p, expr{of, s.scope}) { // a name that is not literal is that of a loop over several
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
func isProcess(p *project, e expr) bool {
	if isName(e.node, "process") && e.scope.lookup("process") == nil {
		return true
	}
	return slices.ContainsFunc(p.values(e), func(v value) bool { return v.pkg == "process" || v.pkg == "node:process" })
}
