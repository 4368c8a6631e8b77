package checklist

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
)

// findHome is the client that everybody should import: of those that the dev
// server makes, the one that is kept, then the one that most modules import.
func (c *check) findHome() *client {
	var home *client
	best := -1
	for _, made := range c.app() {
		score := 0
		c.project.each(func(m *module) {
			for _, i := range m.imports {
				if i.target == made.module {
					score++
				}
			}
		})
		if c.project.survives(made).kept {
			score += 1000000
		}
		if slices.ContainsFunc([]string{"db", "prisma", "database", "pool", "client", "postgres", "sql"}, func(s string) bool {
			return strings.Contains(strings.ToLower(path.Base(made.module.path)), s)
		}) {
			score += 100000
		}
		if score > best {
			home, best = made, score
		}
	}
	return home
}

// oneModule: nobody else makes a client.
func (c *check) oneModule(i *Item) {
	for _, m := range c.unread {
		if mentionsClient(m.text) {
			i.unsure(m.path, 1, "this file can't be parsed: "+m.failed.Error(), "A client could be made in it.")
		}
	}
	if c.noClient(i) {
		return
	}
	file, line := c.home.line()
	i.Summary = fmt.Sprintf("%s:%d makes it, %s", file, line, c.home.kind)
	const why = "Every client has a pool of its own, so the connections are this limit times the number of clients."
	for _, made := range c.clients {
		if made.module == c.home.module || made.role == roleScript {
			continue
		}
		at, line := made.line()
		i.wrong(at, line, fmt.Sprintf("makes a client of its own: %s", made.kind), why, c.importLine(made.module.path))
	}
}

// mentionsClient is a quick look at a text that can't be parsed.
func mentionsClient(text string) bool {
	return strings.Contains(text, "PrismaClient") || strings.Contains(text, "Pool") || strings.Contains(text, "postgres") || strings.Contains(text, "drizzle")
}

// importLine is the import of the client for a module.
func (c *check) importLine(from string) string {
	name := c.exportName()
	spec := c.specifier(from, c.home.module.path)
	if name == "default" {
		return fmt.Sprintf("import %s from '%s';", variableName(c.home.kind), spec)
	}
	return fmt.Sprintf("import { %s } from '%s';", name, spec)
}

// exportName is the name under which the home exports its client.
func (c *check) exportName() string {
	var found []string
	for name, e := range c.home.module.exports {
		if c.project.makes(e, c.home) || c.givesHome(e) {
			found = append(found, name)
		}
	}
	if len(found) == 0 && len(c.home.module.exports) == 1 { // drizzle() over it
		for name := range c.home.module.exports {
			return name
		}
	}
	if len(found) == 0 {
		return variableName(c.home.kind)
	}
	slices.Sort(found)
	if found[0] == "default" && len(found) > 1 {
		return found[1]
	}
	return found[0]
}

// exportedClient is the client in a module that imports it.
func (c *check) exportedClient() string {
	name := c.exportName()
	if c.givesHome(c.home.module.exports[name]) {
		return name + "()"
	}
	if name == "default" {
		return variableName(c.home.kind)
	}
	return name
}

// givesHome tells whether e is a function that gives the client.
func (c *check) givesHome(e expr) bool {
	for _, v := range c.project.values(e) {
		if fn := c.project.functionOf(v); fn != nil {
			for _, r := range fn.returns {
				if c.project.makes(r, c.home) {
					return true
				}
			}
		}
	}
	return false
}

func variableName(k kind) string {
	switch k {
	case kindPrisma:
		return "prisma"
	case kindPool:
		return "pool"
	case kindPostgres:
		return "sql"
	case kindDrizzle:
		return "db"
	}
	return "client"
}

// specifier is how a module imports another: by alias where one fits.
func (c *check) specifier(from, to string) string {
	stem := strings.TrimSuffix(to, path.Ext(to))
	for _, a := range slices.Concat(c.project.resolve.pathsFor(from), c.project.resolve.aliases) {
		for _, target := range a.to {
			if base, ok := strings.CutSuffix(target, "*"); ok && !a.exact && a.prefix != "" && a.suffix == "" && strings.HasPrefix(stem, base) {
				return a.prefix + strings.TrimPrefix(stem, base)
			}
		}
	}
	return relative(path.Dir(from), stem)
}

// relative is the path from a folder to a file, as an import names it.
func relative(dir, to string) string {
	up := ""
	for dir != "." && !strings.HasPrefix(to, dir+"/") {
		dir = path.Dir(dir)
		up += "../"
	}
	if dir != "." {
		to = strings.TrimPrefix(to, dir+"/")
	}
	if up == "" {
		up = "./"
	}
	return up + to
}

// hotReload: the client is kept on globalThis, and its limit is said where its
// driver looks.
func (c *check) hotReload(i *Item) {
	if c.noClient(i) {
		return
	}
	const whyKept = "A reload evaluates the module again: the old client keeps its connections and a new one opens more, until no slot is left."
	const whyLimit = "Without a limit that the driver honours, each pool opens as many connections as it likes."
	var limits []string
	for _, made := range c.clients {
		file, line := made.line()
		if made.module == c.home.module {
			switch s := c.project.survives(made); {
			case s.kept:
			case s.stored:
				i.wrong(file, line, fmt.Sprintf("%s is put on globalThis, but is made anew without a look at it", made.kind), whyKept, c.keptLine(made))
			default:
				i.wrong(file, line, fmt.Sprintf("%s is not kept on globalThis: each reload makes another", made.kind), whyKept, c.keptLine(made))
			}
		}
		if made.module != c.home.module && made.role != roleScript {
			continue // item 1 says to take it away
		}
		if made.limit.at.node != nil {
			file, line = made.limit.at.line()
		}
		switch l := made.limit; {
		case l.explicit:
			limits = append(limits, limitWords(l))
		case l.unknown != "":
			i.unsure(file, line, fmt.Sprintf("the pool limit of %s can't be told: %s", made.kind, l.unknown), whyLimit)
		case made.role == roleScript:
		default:
			i.wrong(file, line, fmt.Sprintf("%s %s", made.kind, l.problem), whyLimit, c.limitLine(made))
		}
	}
	i.Summary = "kept on globalThis; pool limit " + strings.Join(slices.Compact(limits), ", ")
}

func limitWords(l limit) string {
	switch {
	case l.fromURL && l.number > 0:
		return fmt.Sprintf("%d, connection_limit of DATABASE_URL", l.number)
	case l.fromURL:
		return "of DATABASE_URL"
	case l.number > 0:
		return fmt.Sprint(l.number)
	}
	return "set by an expression"
}

// keptLine is the line that keeps a client.
func (c *check) keptLine(made *client) string {
	name := c.nameOf(made)
	text := map[kind]string{kindPrisma: "new PrismaClient({ … })", kindPool: "new Pool({ … })", kindClient: "new Client({ … })", kindPostgres: "postgres( … )", kindDrizzle: "drizzle( … )"}[made.kind]
	const tail = "; if (process.env.NODE_ENV !== 'production') "
	if slices.Contains([]string{".ts", ".tsx", ".mts", ".cts"}, path.Ext(made.module.path)) {
		return fmt.Sprintf("const g = globalThis as { %[1]s?: any }; export const %[1]s = g.%[1]s ?? %[2]s%[3]sg.%[1]s = %[1]s;", name, text, tail)
	}
	return fmt.Sprintf("export const %[1]s = globalThis.%[1]s ?? %[2]s%[3]sglobalThis.%[1]s = %[1]s;", name, text, tail)
}

// limitLine is the options with a limit.
func (c *check) limitLine(made *client) string {
	n := 5
	if c.url != nil {
		n = c.url.Limit
	}
	const address = "process.env.DATABASE_URL"
	switch made.kind {
	case kindPrisma:
		if at, ok := made.limit.at.node.(*ast.NewExpression); ok {
			for _, v := range c.project.values(expr{at.Callee, made.limit.at.scope}) {
				if isAdapter(v) {
					return fmt.Sprintf("new PrismaPg({ connectionString: %s, max: %d })", address, n)
				}
			}
			return fmt.Sprintf("new Pool({ connectionString: %s, max: %d })", address, n)
		}
		return fmt.Sprintf("new PrismaClient({ adapter: new PrismaPg({ connectionString: %s, max: %d }) })", address, n)
	case kindPool:
		return fmt.Sprintf("new Pool({ connectionString: %s, max: %d })", address, n)
	case kindPostgres:
		return fmt.Sprintf("postgres(%s, { max: %d })", address, n)
	case kindDrizzle:
		if strings.Contains(c.drizzleOf(made), "postgres-js") {
			return fmt.Sprintf("drizzle({ connection: { url: %s, max: %d } })", address, n)
		}
		return fmt.Sprintf("drizzle({ connection: { connectionString: %s, max: %d } })", address, n)
	}
	return ""
}

func (c *check) drizzleOf(made *client) string {
	for _, v := range c.project.values(expr{made.callee, made.scope}) {
		if v.pkg != "" {
			return v.pkg
		}
	}
	return ""
}
