// Package jscode reads a project's JavaScript and TypeScript: which modules
// make clients of PostgreSQL, with which limit, and whether they outlive a hot
// reload. It parses, runs nothing, and writes nothing.
package jscode

import (
	"context"
	"slices"
	"time"

	"github.com/dop251/goja/ast"
)

// Options are what the code alone does not say. Each function may be nil.
type Options struct {
	URLLimit       int                              // the pool limit that DATABASE_URL says; 0: none
	PrismaMajor    func(file string) int            // major version of Prisma for a file; 0: not known
	PrismaProvider func(file string) string         // the schema's provider; "": not known
	RunByScript    func(file string) bool           // an npm script that is no server runs the file
	Environment    func(name string) (string, bool) // a variable as .env has it
	Most           time.Duration                    // how long reading may take; 0: 7 s
}

// Code is the modules of a project and how they hang together.
type Code struct {
	Options
	Root      string
	Clients   []*Client
	ctx       context.Context
	modules   map[string]*Module
	order     []string // of the modules, sorted
	resolve   *resolver
	importers map[*Module][]*Module
	callers   map[ast.Node][]*site
	stores    []store

	known   map[ast.Node][]value  // what values found
	placed  map[ast.Node][]string // what paths found
	asked   map[question]bool     // what is being followed
	steps   int                   // of the question
	total   int
	parsed  int // bytes
	cut     bool
	until   time.Time
	stopped bool              // the context has ended, or the time is up
	late    bool              // that was so while the project was read
	overrun map[*Module]bool  // not read to their end
	asker   *scope            // where the question that is being answered was asked
	makers  map[*Module]bool  // modules that may make a client
	ending  map[ast.Node]bool // functions that run at the end
}

const (
	defaultMost = 7 * time.Second
	maxRead     = 256 << 20 // bytes of text
	maxParsed   = 24 << 20  // bytes of text whose trees are kept: about 20 times as much memory
)

// Read reads the project in root, files being its own files (relative, with
// slashes). The error is the context's; what can't be read or took too long is
// in Unread and Unfinished.
func Read(ctx context.Context, root string, files []string, o Options) (*Code, error) {
	if o.Most == 0 {
		o.Most = defaultMost
	}
	bound, cancel := context.WithTimeout(ctx, o.Most)
	defer cancel()
	p := &Code{Options: o, Root: root, ctx: bound, until: time.Now().Add(o.Most), modules: map[string]*Module{}, asked: map[question]bool{}, known: map[ast.Node][]value{}, makers: map[*Module]bool{}, placed: map[ast.Node][]string{}, callers: map[ast.Node][]*site{}, overrun: map[*Module]bool{}}
	p.load(files)
	p.link()
	p.Clients = p.findClients()
	if len(p.Clients) > 0 {
		p.parseCallers()
		p.bindParameters()
		p.findStores()
		p.forget()
		p.Clients = p.findClients()
		p.findStores()
	}
	for _, c := range p.Clients {
		c.Limit = p.limitOf(c)
		if c.Fate = p.fateOf(c); p.over() && !c.Fate.Survives() {
			c.Fate = Unfollowed // who keeps it may be in what was not looked at
		}
	}
	p.late = p.stopped || bound.Err() != nil
	p.ctx, p.stopped, p.until = ctx, false, p.until.Add(o.Most/4) // for what is asked later
	return p, ctx.Err()
}

// over tells whether the time is up.
func (p *Code) over() bool {
	if !p.stopped {
		p.stopped = p.ctx.Err() != nil || time.Now().After(p.until)
	}
	return p.stopped
}

// Stopped tells whether the bound on time was reached, so that not everything
// was looked into.
func (p *Code) Stopped() bool { return p.late || p.stopped }

// Files is how many source files were read.
func (p *Code) Files() int { return len(p.order) }

// Module is the module at a path, nil where there is none.
func (p *Code) Module(file string) *Module { return p.modules[file] }

// Modules are those that were looked into, by path.
func (p *Code) Modules() []*Module {
	var list []*Module
	p.each(func(m *Module) { list = append(list, m) })
	return list
}

// Unread are modules that could not be read, and have no text then, or could
// not be parsed, with the reason.
func (p *Code) Unread() map[string]error {
	list := map[string]error{}
	for _, m := range p.modules {
		if m.failed != nil {
			list[m.path] = m.failed
		}
	}
	return list
}

// Unfinished are the modules in which something took too long to follow.
func (p *Code) Unfinished() []string {
	var list []string
	for m := range p.overrun {
		list = append(list, m.path)
	}
	slices.Sort(list)
	return list
}

// each calls f for every module that was looked into, until time is up.
func (p *Code) each(f func(*Module)) {
	for _, name := range p.order {
		if m := p.modules[name]; m.scope != nil && !p.stopped {
			f(m)
		}
	}
}

// forget drops what was found, because there are new modules or callers.
func (p *Code) forget() {
	p.callers = map[ast.Node][]*site{}
	p.known, p.placed = map[ast.Node][]value{}, map[ast.Node][]string{}
}
