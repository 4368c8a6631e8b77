package scaffold

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
)

// clientSteps puts the client module where there is none. A module that makes
// a client already stays; unless no reload leaves that client behind (whether
// the rest is right is dev:check's business) it is shown what to write: a whole
// module in place of one that does nothing else, else the import of the one
// client. Where the project's clients are another driver's, no pool is written
// beside them.
func (p Project) clientSteps() ([]Step, error) {
	var steps []Step
	home := p.clientHome()
	for _, module := range p.makers {
		have, err := readFile(p.path(module.file))
		if err != nil {
			return nil, unreadable(module.file, err)
		}
		text := string(have)
		ours := string(p.clientAt(module.file, module.export))
		s := Step{Path: module.file, Action: Keep, Why: "is the client module already"}
		switch {
		case !module.ours && module.kept:
			s.Why = "makes the client (" + module.driver + ") and keeps it"
		case !module.ours:
			s.Action, s.Why, s.Show = Differs, "makes a new client ("+module.driver+") at every reload; what keeps it is this line", module.keep+"\n"
		case module.file != home:
			s.Action, s.Why = Differs, "makes a client of its own; import the one of "+home+" instead"
			s.Show = p.importOf(module.file, home) + "\n"
		case text == ours:
		case module.kept:
			s.Why = "makes the client and keeps it on globalThis"
		default:
			s.Action, s.Why = Differs, "makes a new client at every reload; what it says besides is yours to carry over"
			s.Show = unified(module.file, text, ours)
		}
		steps = append(steps, s)
	}
	if home != "" && !p.makes(home) {
		steps = append(steps, p.file(home, p.clientAt(home, export{Name: p.clientName()}), p.clientWhy(), ""))
	}
	return steps, nil
}

func (p Project) makes(file string) bool {
	return slices.ContainsFunc(p.makers, func(m maker) bool { return m.file == file })
}

// clientHome is the one client module, there or to be written: the first that
// keeps its client or does nothing else; "" where every client is another
// driver's.
func (p Project) clientHome() string {
	for _, module := range p.makers {
		if module.ours && (module.kept || module.only) {
			return module.file
		}
	}
	if len(p.makers) > 0 && !slices.ContainsFunc(p.makers, func(m maker) bool { return m.ours }) {
		return ""
	}
	return p.clientPath()
}

func (p Project) clientWhy() string {
	switch {
	case p.Driver == NodePg:
		return "the one pool: kept on globalThis, max from the URL, an error listener, closed at the end"
	case p.Major >= 7:
		return "the one client: kept on globalThis, adapter with max from the URL, an error listener, closed at the end"
	}
	return "the one client: kept on globalThis, closed at the end"
}

// clientPath is where the module belongs in a project that has none: a name
// that no other module has.
func (p Project) clientPath() string {
	base := "lib/db"
	if p.Kind == SvelteKit {
		base = "src/lib/server/db"
		if p.Driver == Prisma {
			base = "src/lib/server/prisma"
		}
	} else if p.exists("src") {
		base = "src/lib/db"
	}
	if file := base + p.extension(); !p.exists(file) || p.makes(file) {
		return file
	}
	return base + "-client" + p.extension()
}

// clientName is what the module exports.
func (p Project) clientName() string {
	if p.Driver == Prisma {
		return "prisma"
	}
	return "pool"
}

// export is how a module gives its client.
type export struct {
	Name    string
	Default bool // it is the default export
	Named   bool // it is exported by its name
}

// exportOf is how a module gives its client, so that what imports it goes on
// working.
func (p Project) exportOf(read *jscode.Code, c *jscode.Client) export {
	e := export{Name: p.clientName()}
	if name := read.NameOf(c); name != "" {
		e.Name = name
	}
	for _, name := range read.ExportsOf(c) {
		if name == "default" {
			e.Default = true
		} else if !e.Named {
			e.Name, e.Named = name, true
		}
	}
	return e
}

// importOf is the line that imports the client of the module at to.
func (p Project) importOf(from, to string) string {
	return fmt.Sprintf("import %s from '%s';", p.binding(to), importPath(from, to))
}

func (p Project) binding(module string) string {
	e := export{Name: p.clientName(), Named: true}
	if i := slices.IndexFunc(p.makers, func(m maker) bool { return m.file == module }); i >= 0 {
		e = p.makers[i].export
	}
	if e.Default && !e.Named {
		return e.Name
	}
	return "{ " + e.Name + " }"
}

// clientAt is the module's text at a path, which its import depends on.
func (p Project) clientAt(module string, e export) []byte {
	data := clientData{Name: e.Name, Default: e.Default, TypeScript: strings.HasSuffix(module, "ts"), Prisma: p.Driver == Prisma, SvelteKit: p.Kind == SvelteKit, Vite: p.Kind == Vite, Env: "process.env", Close: "pool.end()"}
	if p.Kind == SvelteKit {
		data.Env = "env"
	}
	if p.Driver == Prisma {
		data.Close = "client.$disconnect()"
	}
	if data.Import = p.Client; p.Client != prismaPackage {
		data.Import = importPath(module, p.Client)
	}
	name := "pg"
	if p.Driver == Prisma {
		if name = "prisma6"; p.Major >= 7 {
			name = "prisma7"
		}
	}
	return p.javascript(name, data)
}

// importPath is how the module at from imports the one at to, both relative
// to the root.
func importPath(from, to string) string {
	rel, err := filepath.Rel(filepath.FromSlash(path.Dir(from)), filepath.FromSlash(to))
	if err != nil {
		return to
	}
	rel = strings.TrimSuffix(strings.TrimSuffix(slash(rel), ".ts"), ".js")
	if !strings.HasPrefix(rel, ".") {
		rel = "./" + rel
	}
	return rel
}

func isModule(file string) bool {
	return slices.Contains([]string{".ts", ".js", ".mts", ".mjs"}, path.Ext(file))
}

// maker is a module that makes clients of PostgreSQL when the dev server
// evaluates it, as jscode reads it.
type maker struct {
	file   string
	driver string
	ours   bool   // of a driver that a module can be written for
	kept   bool   // no reload or request leaves one behind
	only   bool   // it does nothing else that would be lost if it were written anew
	keep   string // the line that keeps the first that is left behind
	export export // of the first
}

// clientModules are the modules that make a client, the likeliest client
// module first: by its name, then by its folder.
func (p Project) clientModules() []maker {
	read := p.code
	var found []maker
	for _, c := range read.Clients {
		file, _ := c.Place()
		if c.Role != jscode.App || c.Fate == jscode.Production {
			continue
		}
		i := slices.IndexFunc(found, func(m maker) bool { return m.file == file })
		if i < 0 {
			i = len(found)
			found = append(found, maker{file: file, driver: c.Name, kept: true, only: isModule(file) && read.OnlyMakes(c), export: p.exportOf(read, c)})
		}
		found[i].ours = found[i].ours || c.IsPrisma() && p.Driver == Prisma || c.IsNodePg() && p.Driver == NodePg
		if !c.Fate.Survives() && found[i].kept {
			found[i].kept, found[i].keep = false, read.KeepLine(c)
		}
	}
	slices.SortStableFunc(found, func(a, b maker) int { return rank(a.file) - rank(b.file) })
	return found
}

func rank(file string) int {
	base := strings.ToLower(strings.TrimSuffix(path.Base(file), path.Ext(file)))
	switch {
	case slices.Contains([]string{"prisma", "db", "database", "client", "pool", "postgres", "pg"}, base):
		return 0
	case strings.Contains(file, "lib/"):
		return 1
	}
	return 2
}
