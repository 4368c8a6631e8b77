package checklist

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
)

// vite: its settings keep Prisma out of what it optimises and bundles, its
// watcher off what is generated, and its port is the runbook's.
func (c *check) vite(i *Item) {
	if c.noClient(i) {
		return
	}
	c.bundles(i)
	t := c.code.Config(c.homeDir(), "vite.config")
	_, depends := c.packages.depends(c.home.Module.Path(), "vite")
	if t == nil && !depends {
		i.Summary = "no Vite here"
		c.portOf(i, nil)
	} else if t != nil && !t.Followed() {
		i.unsure(t.Module.Path(), 1, "these settings can't be followed", "The port, the watcher and what Vite bundles are set here.")
	} else {
		i.Summary = "Prisma, the watcher and the port are set"
		c.portOf(i, t)
		if t == nil {
			t = c.code.NoConfig("vite.config.ts")
		}
		if c.home.IsPrisma() {
			c.prismaSettings(i, t)
		}
		c.watched(i, t)
	}
}

// prismaSettings: optimizeDeps.exclude and ssr.external name Prisma.
func (c *check) prismaSettings(i *Item, t *jscode.Config) {
	for _, want := range []struct{ section, key, problem, why, write string }{
		{"optimizeDeps", "exclude", "Vite may optimise Prisma's client", "A copy that Vite makes beforehand is another module, with a client of its own.", "optimizeDeps: { exclude: ['@prisma/client'] },"},
		{"ssr", "external", "Vite may bundle Prisma's client into the server's code", "What Vite bundles is evaluated again with the code around it; a package outside is evaluated once.", "ssr: { external: ['@prisma/client'] },"},
	} {
		e := t.At(want.section, want.key)
		if slices.ContainsFunc(c.code.Literals(e), func(l jscode.Literal) bool { return l.Is }) {
			continue
		}
		names, others := c.code.Strings(e)
		file, line := t.Place(e, want.section)
		switch {
		case slices.ContainsFunc(names, func(s string) bool { return strings.Contains(s, "prisma") }):
		case others || t.Hidden(want.section, want.key):
			i.unsure(file, line, fmt.Sprintf("%s.%s can't be followed", want.section, want.key), want.why)
		default:
			i.wrong(file, line, fmt.Sprintf("%s: %s.%s does not name @prisma/client", want.problem, want.section, want.key), want.why, want.write)
		}
	}
}

// watched: the watcher ignores the generated client and data folders.
func (c *check) watched(i *Item, t *jscode.Config) {
	e := t.At("server", "watch", "ignored")
	patterns, others := c.code.Strings(e)
	for _, folder := range c.notToWatch() {
		if slices.ContainsFunc(patterns, func(pattern string) bool { return ignores(pattern, c.root, folder) }) {
			continue
		}
		file, line := t.Place(e, "server")
		const why = "Each file that is written there evaluates the client's module again."
		if others || t.Hidden("server", "watch", "ignored") {
			i.unsure(file, line, fmt.Sprintf("whether the watcher ignores %s can't be told: server.watch.ignored can't be followed", folder), why)
			continue
		}
		i.wrong(file, line, fmt.Sprintf("Vite watches %s: server.watch.ignored does not name it", folder), why,
			fmt.Sprintf("server: { watch: { ignored: ['**/%s/**'] } },", folder))
	}
}

// notToWatch are the folders of generated clients and of PostgreSQL's data
// within the project.
func (c *check) notToWatch() []string {
	var folders []string
	for _, schema := range c.packages.schemas {
		if schema.Output != "" {
			folders = append(folders, schema.Output)
		}
	}
	folders = append(folders, c.code.GeneratedClients()...)
	folders = append(folders, dataFolders(c.root)...)
	folders = slices.DeleteFunc(folders, func(f string) bool {
		return strings.HasPrefix(f, "..") || strings.Contains(f, "node_modules")
	})
	slices.Sort(folders)
	return slices.Compact(folders)
}

// ignores tells whether a glob of chokidar's matches the files in a folder.
func ignores(pattern, root, folder string) bool {
	pattern = strings.TrimPrefix(pattern, "./")
	for _, file := range []string{folder + "/client.ts", root + "/" + folder + "/client.ts", folder, root + "/" + folder} {
		if glob(strings.Split(strings.TrimPrefix(pattern, "/"), "/"), strings.Split(strings.TrimPrefix(file, "/"), "/")) {
			return true
		}
	}
	return false
}

// glob matches path elements; ** is any number of them.
func glob(pattern, name []string) bool {
	if len(pattern) == 0 {
		return len(name) == 0
	}
	if pattern[0] == "**" {
		for skip := range len(name) + 1 {
			if glob(pattern[1:], name[skip:]) {
				return true
			}
		}
		return false
	}
	if len(name) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	return err == nil && ok && glob(pattern[1:], name[1:])
}

// portOf: the dev server's port is 3000 or the first of DBTASKS_PORTS.
func (c *check) portOf(i *Item, t *jscode.Config) {
	const why = "dev:start, dev:stop and dev:recover look for this project's dev server on DBTASKS_PORTS."
	first := c.Config.Ports.First()
	if first == 0 {
		first = 3000
	}
	right := func(n int) bool { return n == 3000 || n == first }
	if n, line, ok := c.scriptPort(); ok {
		if !right(n) {
			i.wrong("package.json", line, fmt.Sprintf("the dev script's port is %d, not %d", n, first), why, fmt.Sprintf("--port %d", first))
		}
		return
	}
	if _, vite := c.packages.depends(c.home.Module.Path(), "vite"); t == nil && !vite {
		return // Next.js and most others take 3000
	}
	write := fmt.Sprintf("server: { port: %d },", first)
	if t == nil {
		i.wrong("vite.config.ts", 0, "the dev server's port is Vite's own, 5173", why, write)
		return
	}
	e := t.At("server", "port")
	file, line := t.Place(e, "server")
	if !e.Found() && t.Hidden("server", "port") {
		i.unsure(file, line, "server.port can't be followed", why)
		return
	}
	if !e.Found() {
		i.wrong(file, line, fmt.Sprintf("the dev server's port is Vite's own, 5173, not %d: there is no server.port", first), why, write)
		return
	}
	var unknown bool
	for _, l := range c.code.Literals(e) {
		switch {
		case l.IsNumber && right(int(l.Number)):
			return
		case l.IsNumber && l.Number != 0:
			i.wrong(file, line, fmt.Sprintf("the dev server's port is %d, not %d", int(l.Number), first), why, write)
			return
		}
		unknown = unknown || !l.Mentions("PORT") // which dev:start sets
	}
	if unknown {
		i.unsure(file, line, "server.port can't be followed", why)
	}
}

// scriptPort is the port on the command line of the dev script.
func (c *check) scriptPort() (port, line int, ok bool) {
	for _, s := range c.scripts {
		if s.name != "dev" {
			continue
		}
		for _, words := range commands(s.file) {
			for i, word := range words {
				name, value, joined := strings.Cut(word, "=")
				if (name == "--port" || name == "-p") && !joined && i+1 < len(words) {
					value = words[i+1]
				}
				if n, err := strconv.Atoi(value); err == nil && (name == "--port" || name == "-p" || name == "PORT") {
					return n, s.line, true
				}
			}
		}
	}
	return 0, 0, false
}
