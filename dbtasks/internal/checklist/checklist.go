// Package checklist reads a project's own files for what leaks connections to
// PostgreSQL: eight items, each with a verdict, the place, why it matters and
// the line to write instead. It parses JavaScript and TypeScript, runs none of
// it, and writes nothing.
package checklist

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Options are what the checklist can't read from the project's code.
type Options struct {
	Config *settings.Config // its Root is the project's; required
	// Settings is why Config could not be loaded from .env; nil: it was.
	Settings error
	// Usable is how many sessions the server can give to DATABASE_URL's role;
	// 0: not known, and NoServer says why.
	Usable   int
	NoServer string
	Cores    int // of this machine, for the test runners' default; 0: one
}

// check is one run.
type check struct {
	Options
	root     string
	files    []string
	git      bool // the project lies in a git repository
	pkg      packageFile
	project  *project
	clients  []*client
	home     *client // the client that everybody should import; nil: there is none
	prisma   int     // major version of Prisma; 0: not known or not used
	url      *settings.URL
	urlErr   error
	unread   []*module // could not be parsed
	schemata []string  // schema.prisma files
	workers  workers   // of the tests, where they reach the client
	items    [8]Item
}

// Check goes through the list. Its error is one of the file system: what can't
// be read of the project's code is a verdict.
func Check(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	c := &check{Options: o, root: o.Config.Root}
	c.Cores = max(1, c.Cores)
	for i := range c.items {
		c.items[i] = Item{Number: i + 1, Name: names[i]}
	}
	if err := c.load(ctx); err != nil {
		return Report{}, err
	}
	for i, item := range []func(*Item){c.oneModule, c.hotReload, c.endings, c.tests, c.vite, c.settings, func(i *Item) { c.secrets(ctx, i) }, c.scripts} {
		item(&c.items[i])
		c.items[i].settle()
	}
	r := Report{Root: c.root, Items: c.items[:], Clients: []Client{}, NoClient: c.withoutClient(), Files: len(c.project.paths), TookMS: time.Since(began).Milliseconds()}
	for _, item := range c.items {
		switch item.Verdict {
		case Wrong:
			r.Wrong++
		case CantTell:
			r.CantTell++
		}
	}
	for _, made := range c.clients {
		file, line := made.line()
		r.Clients = append(r.Clients, Client{file, line, string(made.kind), made.limit.number})
	}
	r.OK = r.Wrong == 0
	return r, nil
}

func (c *check) load(ctx context.Context) error {
	var err error
	if c.files, c.git, err = listFiles(ctx, c.root); err != nil {
		return fmt.Errorf("read the project's files: %w", err)
	}
	c.pkg = readPackageFile(c.root)
	r := &resolver{files: map[string]bool{}, configs: readTsconfigs(c.root, c.files)}
	var code []string
	for _, file := range c.files {
		r.files[file] = true
		if isCode(file) {
			code = append(code, file)
		}
		if path.Ext(file) == ".prisma" {
			c.schemata = append(c.schemata, file)
		}
	}
	modules := readModules(c.root, code)
	for _, file := range code {
		delete(r.files, file) // generated, or a bundle, but for those that were read
	}
	for _, m := range modules {
		r.files[m.path] = true
	}
	c.project = newProject(c.root, modules, r)
	r.aliases = append(c.project.aliases(c.pkg), packageAliases(c.root, c.files)...)
	c.project.link(reachesDatabase)
	c.project.each(func(m *module) {
		if m.failed != nil {
			c.unread = append(c.unread, m)
		}
	})
	c.prisma = prismaMajor(c.root, c.pkg)
	c.url, c.urlErr = c.Config.Database()
	limit := 0
	if c.url != nil {
		limit = c.url.Limit
	}
	c.clients = c.project.clients(c.pkg.scriptFiles)
	for _, made := range c.clients {
		made.limit = c.project.limitOf(made, c.prisma, limit)
	}
	c.clients = c.withoutParts()
	c.home = c.findHome()
	return nil
}

// withoutParts drops a pool that is handed to Prisma's adapter: its place and
// limit are looked at as Prisma's.
func (c *check) withoutParts() []*client {
	return slices.DeleteFunc(slices.Clone(c.clients), func(part *client) bool {
		return part.kind == kindPool && slices.ContainsFunc(c.clients, func(whole *client) bool {
			return whole != part && whole.kind == kindPrisma && whole.limit.at.node == part.node
		})
	})
}

// app are the clients that the dev server makes.
func (c *check) app() []*client {
	return slices.DeleteFunc(slices.Clone(c.clients), func(made *client) bool { return made.role != roleApp })
}

// withoutClient is that no client was found; empty where one was.
func (c *check) withoutClient() string {
	if c.home != nil {
		return ""
	}
	return fmt.Sprintf("no client of PostgreSQL was found in %s", countOf(len(c.project.paths), "file")) + c.otherClient()
}

// noClient says so in an item that is about the client.
func (c *check) noClient(i *Item) bool {
	if c.home != nil {
		return false
	}
	i.unsure("package.json", 0, c.withoutClient(), "")
	return true
}
