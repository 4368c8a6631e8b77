package jscode

import (
	"path"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// Place is the file and line of a client.
func (c *Client) Place() (file string, line int) { return c.line() }

// HearsErrors tells whether somebody listens to "error" of a client.
func (p *Code) HearsErrors(c *Client) bool { return p.hearsErrors(c) }

// ClosedAtEnd tells whether a client is closed when the process, the server or
// the module ends.
func (p *Code) ClosedAtEnd(c *Client) bool {
	if p.ending == nil {
		p.ending = p.handlers(p.isEnding)
	}
	return p.closes(c, p.ending)
}

// ClosedInScript tells whether the module of a client closes it, or ends its process.
func (p *Code) ClosedInScript(c *Client) bool { return p.closes(c, nil) || exits(c.Module) }

// Users are the modules, tests and scripts left out, from which imports lead
// to a module; itself is the first.
func (p *Code) Users(m *Module) []*Module {
	return p.upwards(m, func(m *Module) bool { return !IsTest(m.path) && !p.isScript(m) })
}

// TestsOf are the test files from which imports lead to a module.
func (p *Code) TestsOf(m *Module) []*Module {
	return slices.DeleteFunc(p.upwards(m, func(*Module) bool { return true }), func(m *Module) bool { return !isTestFile(m.path) })
}

// isTestFile tells a file that the runner runs from one that only helps.
func isTestFile(file string) bool {
	return strings.Contains(file, ".test.") || strings.Contains(file, ".spec.") || strings.Contains(file, "__tests__/")
}

func (p *Code) upwards(m *Module, through func(*Module) bool) []*Module {
	list := []*Module{m}
	seen := map[*Module]bool{m: true}
	for i := 0; i < len(list); i++ {
		for _, importer := range p.importers[list[i]] {
			if !seen[importer] && through(importer) {
				seen[importer] = true
				list = append(list, importer)
			}
		}
	}
	return list
}

// reaches tells whether imports lead from m to a module that hit picks, m
// included; modules on the way are parsed, a few hundred at most.
func (p *Code) reaches(m *Module, enter, hit func(*Module) bool) bool {
	seen, todo := map[*Module]bool{m: true}, []*Module{m}
	for len(todo) > 0 && len(seen) < 300 && !p.over() {
		at := todo[0]
		todo = todo[1:]
		if hit(at) {
			return true
		}
		p.parse(at)
		for _, i := range at.imports {
			if i.Target != nil && !seen[i.Target] && enter(i.Target) {
				seen[i.Target] = true
				todo = append(todo, i.Target)
			}
		}
	}
	return false
}

// OpenTests are those of users after which nobody closes a client: neither
// they, nor what they import, nor a setup file. At most 100 are looked at.
func (p *Code) OpenTests(users []*Module, setups []string) []*Module {
	users = users[:min(len(users), 100)]
	p.parseAll(users)
	for _, setup := range setups {
		if m := p.modules[setup]; m != nil {
			p.parse(m)
		}
	}
	p.forget()
	handlers := p.handlers(func(s *site) bool {
		return slices.Contains([]string{"afterAll", "afterEach", "after", "teardown", "onTestFinished"}, lastName(s.callee))
	})
	closing := func(m *Module) bool {
		return slices.ContainsFunc(m.sites, func(s *site) bool {
			of, ok := isCloser(s)
			return ok && slices.ContainsFunc(s.stack, func(n ast.Node) bool { return handlers[n] }) &&
				slices.ContainsFunc(p.Clients, func(c *Client) bool { return p.holds(Expr{of, s.scope}, c, 0) })
		})
	}
	everywhere := func(*Module) bool { return true }
	for _, setup := range setups {
		if m := p.modules[setup]; m != nil && p.reaches(m, everywhere, closing) {
			return nil
		}
	}
	return slices.DeleteFunc(slices.Clone(users), func(m *Module) bool { return p.reaches(m, everywhere, closing) })
}

// Find is the module that a specifier names, seen from a file.
func (p *Code) Find(from, spec string) string {
	file, _ := p.resolve.find(from, spec)
	return file
}

// InBrowser is an import by which the browser's bundle gets a client.
type InBrowser struct {
	File   string
	Line   int
	Import string // the module that leads to the client
}

// Bundles are the imports by which the browser's bundle gets the client of a
// module: those of modules that run in the browser, by the frameworks' customs.
func (p *Code) Bundles(home *Module) []InBrowser {
	var list []InBrowser
	for _, m := range p.upwards(home, func(*Module) bool { return true }) {
		if !goesToBrowser(m) || len(list) > 20 || p.over() {
			continue
		}
		p.parse(m)
		for _, imp := range m.imports {
			if imp.Target == nil {
				continue
			}
			enter := func(to *Module) bool { return !goesToBrowser(to) && !stays(to) } // the former is named itself
			if !stays(imp.Target) && p.reaches(imp.Target, enter, func(to *Module) bool { return to == home }) {
				list = append(list, InBrowser{m.path, imp.Line(), imp.Target.path})
			}
		}
	}
	slices.SortFunc(list, func(a, b InBrowser) int { return strings.Compare(a.File, b.File) })
	return list
}

// stays tells a server action or remote function, which is called over the
// network and not bundled.
func stays(m *Module) bool {
	return strings.Contains(path.Base(m.path), ".remote.") || hasDirective(m, "use server")
}

// goesToBrowser tells by the frameworks' conventions.
func goesToBrowser(m *Module) bool {
	base := path.Base(m.path)
	stem := strings.TrimSuffix(base, path.Ext(base))
	switch {
	case IsTest(m.path):
		return false
	case strings.HasSuffix(base, ".svelte"), strings.HasSuffix(base, ".vue"), stem == "+page", stem == "+layout", stem == "hooks.client":
		return true
	}
	return hasDirective(m, "use client")
}

// hasDirective looks for a directive at the top of a file.
func hasDirective(m *Module, directive string) bool {
	at := skipBlanks(m.text, 0)
	rest := m.text[at:]
	for _, quote := range []string{"'", "\""} {
		if strings.HasPrefix(rest, quote+directive+quote) {
			return true
		}
	}
	return false
}

// GeneratedClients are the folders outside of the project's own files from
// which a Prisma client is imported.
func (p *Code) GeneratedClients() []string {
	var list []string
	for _, c := range p.Clients {
		for _, v := range p.values(Expr{c.callee, c.scope}) {
			if folder, ok := strings.CutPrefix(v.pkg, "./"); ok && c.Driver == prisma { // git ignores it
				if stem := strings.TrimSuffix(path.Base(folder), path.Ext(folder)); stem == "client" || stem == "index" {
					folder = path.Dir(folder)
				}
				list = append(list, folder)
			}
		}
	}
	return list
}

// ImportersOf are the modules that import one of these packages, and which.
func (p *Code) ImportersOf(packages []string) map[string]string {
	found := map[string]string{}
	for _, name := range p.order {
		if IsTest(name) || IsConfig(name) {
			continue
		}
		m := p.modules[name]
		for _, spec := range m.specs {
			if i := slices.IndexFunc(packages, func(pkg string) bool { return isPackage(spec, pkg) }); i >= 0 {
				if target, _ := p.resolveFrom(m, spec); target == nil && !p.isScript(m) {
					found[name] = packages[i]
				}
			}
		}
	}
	return found
}

// UnreadPackages make connections and have no row in the table of drivers;
// HTTPPackages reach a PostgreSQL without a connection.
func UnreadPackages() []string { return slices.Clone(unread) }

// HTTPPackages reach a PostgreSQL over HTTP: there is no pool to keep.
func HTTPPackages() []string { return slices.Clone(httpOnly) }

// Mentions tells whether the text of a module below a folder has a word.
func (p *Code) Mentions(dir string, words ...string) bool {
	for _, m := range p.modules {
		if dir != "" && !strings.HasPrefix(m.path, dir+"/") {
			continue
		}
		for _, word := range words {
			if strings.Contains(m.text, word) {
				return true
			}
		}
	}
	return false
}

// IsPrisma tells whether a client is Prisma's.
func (c *Client) IsPrisma() bool { return c.Driver == prisma }

// IsNodePg tells whether a client is a pool of node-postgres.
func (c *Client) IsNodePg() bool { return c.Driver == pool }
