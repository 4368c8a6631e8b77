package checklist

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// findHome is the client that everybody should import: of those that the dev
// server makes, the one that is kept, then the one that most modules import.
func (c *check) findHome() *jscode.Client {
	var home *jscode.Client
	best := -1
	for _, made := range c.app() {
		score := len(c.code.Users(made.Module))
		if made.Fate.Survives() && made.Fate != jscode.Production && made.Fate != jscode.Closed {
			score += 1000000
		}
		if slices.ContainsFunc([]string{"db", "prisma", "database", "pool", "client", "postgres", "sql"}, func(s string) bool {
			return strings.Contains(strings.ToLower(path.Base(made.Module.Path())), s)
		}) {
			score += 100000
		}
		if score > best {
			home, best = made, score
		}
	}
	return home
}

// homeDir is the folder of the package of the home, as a path ("." the root).
func (c *check) homeDir() string { return path.Clean(c.packages.dirOf(c.home.Module.Path())) }

// oneModule: nobody else makes a client, and nothing is left unread.
func (c *check) oneModule(i *Item) {
	if c.noClient(i) {
		return
	}
	file, line := c.home.Place()
	i.Summary = fmt.Sprintf("%s:%d makes it, %s", file, line, c.home.Makes)
	const why = "Every client has a pool of its own, so the connections are this limit times the number of clients."
	for _, made := range c.code.Clients {
		if made.Module == c.home.Module || made.Role == jscode.Script || made.Fate == jscode.Production {
			continue
		}
		at, line := made.Place()
		if c.packages.dirOf(at) != c.packages.dirOf(file) {
			continue // another app of the workspace is another process
		}
		if made.Driver != c.home.Driver {
			i.advise(at, line, fmt.Sprintf("makes a client of another driver: %s beside %s", made.Makes, c.home.Makes), why, "one pool that both take, where the drivers can")
			continue
		}
		i.wrong(at, line, fmt.Sprintf("makes a client of its own: %s", made.Makes), why, c.importLine(made.Module.Path()))
	}
}

// unread names what was not looked into, and could make a client: the verdict
// is never greener than what was read.
func (c *check) unread(i *Item) {
	for file, err := range c.code.Unread() {
		switch text := c.code.Module(file).Text(); {
		case text == "" && !errors.Is(err, fs.ErrNotExist):
			i.unsure(file, 0, "this file can't be read: "+whyUnread(err), "A client could be made in it.")
		case mentionsClient(text):
			i.unsure(file, 1, "this file can't be parsed: "+err.Error(), "A client could be made in it.")
		}
	}
	const why, shown = "A client could be made in it.", 10
	unfinished := c.code.Unfinished()
	for _, file := range unfinished[:min(len(unfinished), shown)] {
		i.unsure(file, 0, "this file was not read to its end: it takes too long", why)
	}
	if more := len(unfinished) - shown; more > 0 {
		i.unsure("package.json", 0, countOf(more, "other file")+" not read to the end: it takes too long", why)
	}
	if c.code.Stopped() && len(c.code.Unfinished()) == 0 {
		i.unsure("package.json", 0, "the project was not read to its end: it takes too long", "A client could be made in what is left.")
	}
	for file, name := range c.code.ImportersOf(jscode.UnreadPackages()) {
		i.unsure(file, 0, name+" makes connections of its own, and is not read by this checklist", "Whether it is kept, and how many connections it opens, is not known.")
	}
	slices.SortStableFunc(i.Findings, func(a, b Finding) int { return strings.Compare(a.File, b.File) })
}

// whyUnread is the reason alone, without the path, which stands before it.
func whyUnread(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// mentionsClient is a quick look at a text that can't be parsed.
func mentionsClient(text string) bool {
	return slices.ContainsFunc([]string{"PrismaClient", "Pool", "postgres", "drizzle", "knex", "DataSource", "equelize", "pg-promise"}, func(word string) bool { return strings.Contains(text, word) })
}

// importLine is the import of the client for a module.
func (c *check) importLine(from string) string {
	name, _ := c.code.ExportOf(c.home)
	spec := c.code.Specifier(from, c.home.Module.Path())
	if tree := c.packages.treeOf(from); strings.HasPrefix(spec, ".") && tree != nil && tree.Package.Module && path.Ext(c.home.Module.Path()) != ".ts" && path.Ext(c.home.Module.Path()) != ".tsx" {
		spec += path.Ext(c.home.Module.Path()) // Node wants it in an ECMAScript module
	}
	if name == "" {
		name = c.home.Variable
	}
	if text := c.code.Module(from).Text(); isCommonJS(from, text) {
		if name == "default" {
			return fmt.Sprintf("const %s = require('%s');", c.home.Variable, spec)
		}
		return fmt.Sprintf("const { %s } = require('%s');", name, spec)
	}
	if name == "default" {
		return fmt.Sprintf("import %s from '%s';", c.home.Variable, spec)
	}
	return fmt.Sprintf("import { %s } from '%s';", name, spec)
}

// isCommonJS tells by what a file does itself, which decides for it.
func isCommonJS(file, text string) bool {
	return path.Ext(file) == ".cjs" || path.Ext(file) == ".js" && strings.Contains(text, "require(") && !strings.Contains(text, "import ") && !strings.Contains(text, "export ")
}

// exportedClient is the client in a module that imports it.
func (c *check) exportedClient() string {
	name, function := c.code.ExportOf(c.home)
	switch {
	case name == "" || name == "default":
		return c.home.Variable
	case function:
		return name + "()"
	}
	return name
}

const (
	whyKept    = "A reload evaluates the module again: the old client keeps its connections and a new one opens more, until no slot is left."
	whyRequest = "Each request opens connections of its own, and nobody closes them."
	whyLimit   = "Without a limit that the driver honours, each pool opens as many connections as it likes."
)

// hotReload: no client is left behind by a reload or a request, and its limit
// is said where its driver looks.
func (c *check) hotReload(i *Item) {
	if c.noClient(i) {
		return
	}
	var kept, limits []string
	for _, made := range c.code.Clients {
		if made.Role == jscode.App {
			kept = append(kept, c.survives(i, made))
		}
		if made.Fate == jscode.Production || made.Module != c.home.Module && made.Role == jscode.App && made.Driver == c.home.Driver && c.packages.dirOf(made.Module.Path()) == c.packages.dirOf(c.home.Module.Path()) {
			continue // item 1 says to take it away
		}
		file, line := made.Place()
		if made.Limit.At.Found() {
			file, line = made.Limit.At.Line()
		}
		switch l := made.Limit; {
		case l.Explicit:
			limits = append(limits, limitWords(l))
		case l.Unknown != "":
			i.unsure(file, line, fmt.Sprintf("the pool limit of %s can't be told: %s", made.Makes, l.Unknown), whyLimit)
		case made.Role == jscode.Script || made.Fate == jscode.Closed:
		default:
			i.wrong(file, line, fmt.Sprintf("%s %s", made.Makes, l.Problem), whyLimit, c.limitLine(made))
		}
	}
	slices.Sort(kept)
	kept = slices.DeleteFunc(slices.Compact(kept), func(s string) bool { return s == "" })
	i.Summary = strings.Join(kept, ", ") + "; pool limit " + strings.Join(slices.Compact(limits), ", ")
}

// survives says what becomes of one client, in words where that is well.
func (c *check) survives(i *Item, made *jscode.Client) string {
	file, line := made.Place()
	leaks, known := c.leaks(made)
	switch {
	case made.Fate == jscode.Kept || made.Fate == jscode.Spare:
		return "kept on globalThis"
	case made.Fate == jscode.Replaced:
		return "closed before another is made"
	case made.Fate == jscode.Closed:
		return "closed by what made it"
	case made.Fate == jscode.Production:
		return ""
	case made.Fate == jscode.HotData && known && !leaks:
		return "kept in import.meta.hot.data"
	case known && !leaks:
		if c.reload(made) == jsproject.NoReload {
			return "nothing is reloaded"
		}
		return "the dev server restarts its process at each change"
	case made.Fate == jscode.HotData && !known:
		i.unsure(file, line, fmt.Sprintf("%s is kept in import.meta.hot.data, which not every version of Vite has on the server", made.Makes), whyKept)
	case !known && made.Fate == jscode.OfObject:
		i.unsure(file, line, fmt.Sprintf("%s is a member of an object, and who makes and keeps that was not found", made.Makes), whyKept)
	case !known && made.Fate == jscode.Unfollowed:
		i.unsure(file, line, fmt.Sprintf("what becomes of %s at a reload was not followed to its end: it takes too long", made.Makes), whyKept)
	case !known:
		i.unsure(file, line, fmt.Sprintf("%s is not kept on globalThis, and what the dev server does at a change can't be told from package.json", made.Makes), whyKept)
	case made.Fate == jscode.PerRequest:
		i.wrong(file, line, fmt.Sprintf("%s is made at each request", made.Makes), whyRequest, c.code.KeepLine(made))
	case made.Fate == jscode.Stored:
		i.wrong(file, line, fmt.Sprintf("%s is put on globalThis, but is made anew without a look at it", made.Makes), whyKept, c.code.KeepLine(made))
	default:
		i.wrong(file, line, fmt.Sprintf("%s is not kept on globalThis: each reload makes another", made.Makes), whyKept, c.code.KeepLine(made))
	}
	return ""
}

func limitWords(l jscode.Limit) string {
	switch {
	case l.FromURL && l.Number > 0:
		return fmt.Sprintf("%d, connection_limit of DATABASE_URL", l.Number)
	case l.FromURL:
		return "of DATABASE_URL"
	case l.Number > 0:
		return fmt.Sprint(l.Number)
	}
	return "set by an expression"
}
