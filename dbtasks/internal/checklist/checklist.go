// Package checklist reads a project's own files for what leaks connections to
// PostgreSQL: eight items, each with a verdict, the place, why it matters and
// the line to write instead. What the code says is jscode's, what package.json
// and its like say is jsproject's. It runs nothing of the project, and writes
// nothing.
package checklist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
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
	packages packages
	scripts  []npmScript
	code     *jscode.Code
	home     *jscode.Client // the client that everybody should import; nil: there is none
	url      *settings.URL
	urlErr   error
	workers  workers // of the tests, where they reach the client
	items    [8]Item
}

// Check goes through the list. Its error is one of the file system, or the
// context's: what can't be read of the project's code is a verdict, and so is
// what could not be finished within 10 s.
func Check(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	c := &check{Options: o, root: o.Config.Root}
	c.Cores = max(1, c.Cores)
	for i := range c.items {
		c.items[i] = Item{Number: i + 1, Name: names[i]}
	}
	if err := c.load(ctx, began); err != nil {
		return Report{}, err
	}
	for i, item := range []func(*Item){c.oneModule, c.hotReload, c.endings, c.tests, c.vite, c.settings, func(i *Item) { c.secrets(ctx, i) }, c.npmScripts} {
		if err := ctx.Err(); err != nil {
			return Report{}, fmt.Errorf("go through the checklist: %w", err)
		}
		item(&c.items[i])
	}
	c.unread(&c.items[0]) // last: what is asked by an item may take too long, too
	for i := range c.items {
		c.items[i].settle()
	}
	r := Report{Root: c.root, Items: c.items[:], Clients: []Client{}, NoClient: c.withoutClient(), Files: c.code.Files(), TookMS: time.Since(began).Milliseconds()}
	for _, item := range c.items {
		switch item.Verdict {
		case Wrong:
			r.Wrong++
		case CantTell:
			r.CantTell++
		}
	}
	for _, made := range c.code.Clients {
		r.Clients = append(r.Clients, c.describe(made))
	}
	r.OK = r.Wrong == 0 && r.CantTell == 0
	return r, nil
}

// describe is a client as the report has it.
func (c *check) describe(made *jscode.Client) Client {
	file, line := made.Place()
	d := Client{File: file, Line: line, Makes: made.Makes, Limit: made.Limit.Number, Driver: made.Name, Reload: c.reload(made).String(), Kept: string(made.Fate), Role: [...]string{"app", "test", "script"}[made.Role]}
	if made.Role == jscode.App {
		switch leaks, known := c.leaks(made); {
		case known:
			d.Leaks = &leaks
		}
	}
	return d
}

// load reads the project. Files and code have 6 s of the 10 that the run may
// take: the server and the items have the rest.
func (c *check) load(ctx context.Context, began time.Time) error {
	var err error
	if c.files, c.git, err = jscode.Files(ctx, c.root); err != nil {
		return fmt.Errorf("read the project's files: %w", err)
	}
	c.packages = readPackages(c.root, c.files)
	c.url, c.urlErr = c.Config.Database()
	limit := 0
	if c.url != nil {
		limit = c.url.Limit
	}
	c.scripts = npmScripts(c.packages.at(""))
	run := c.packages.runByScripts()
	c.code, err = jscode.Read(ctx, c.root, c.files, jscode.Options{
		URLLimit:       limit,
		Most:           max(time.Second, 6*time.Second-time.Since(began)),
		PrismaMajor:    c.packages.prismaMajor,
		PrismaProvider: c.packages.prismaProvider,
		RunByScript:    func(file string) bool { return run[file] },
		Environment:    func(name string) (string, bool) { return environment(c.root, name) },
	})
	if err != nil {
		return fmt.Errorf("read the project's code: %w", err)
	}
	c.home = c.findHome()
	return nil
}

// environment is a variable as .env or .env.local has it.
func environment(root, name string) (value string, ok bool) {
	for _, file := range []string{".env", ".env.local"} {
		list, err := settings.Assignments(root, file)
		if err != nil {
			continue
		}
		for _, a := range list {
			if a.Name == name {
				value, ok = a.Value, true
			}
		}
	}
	return value, ok
}

// app are the clients that the dev server makes.
func (c *check) app() []*jscode.Client {
	return slices.DeleteFunc(slices.Clone(c.code.Clients), func(made *jscode.Client) bool { return made.Role != jscode.App })
}

// leaks tells whether a client leaves connections behind at a reload or
// request; known is false where that can't be told.
func (c *check) leaks(made *jscode.Client) (leaks, known bool) {
	switch reload := c.reload(made); {
	case made.Fate.Survives():
		return false, true
	case made.Fate == jscode.PerRequest:
		return true, true
	case reload == jsproject.NewProcess, reload == jsproject.NoReload:
		return false, true
	case made.Fate == jscode.HotData:
		return c.hotData(made)
	case reload == jsproject.ReloadUnknown, made.Fate == jscode.OfObject, made.Fate == jscode.Unfollowed:
		return false, false
	}
	return true, true
}

// withoutClient is that no client was found; empty where one was.
func (c *check) withoutClient() string {
	if c.home != nil {
		return ""
	}
	words := fmt.Sprintf("no client of PostgreSQL was found in %s", countOf(c.code.Files(), "file"))
	for file, err := range c.code.Unread() {
		if c.code.Module(file).Text() == "" && !errors.Is(err, fs.ErrNotExist) {
			words += fmt.Sprintf("; %s can't be read: %s", file, whyUnread(err))
			break // one is enough to go on with
		}
	}
	if found := c.packages.depending(jscode.UnreadPackages()); len(found) > 0 {
		words += "; " + strings.Join(found, ", ") + " is not read by this checklist"
	}
	if found := c.packages.depending(jscode.HTTPPackages()); len(found) > 0 {
		words += "; " + strings.Join(found, ", ") + " goes over HTTP, and has no pool of connections to keep"
	}
	return words
}

// noClient says so in an item that is about the client.
func (c *check) noClient(i *Item) bool {
	if c.home != nil {
		return false
	}
	i.unsure("package.json", 0, c.withoutClient(), "")
	return true
}
