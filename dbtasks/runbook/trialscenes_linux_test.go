package runbook_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// trialPrograms are the names of the stand-ins that lie in one folder.
var trialPrograms = []string{"node", "bun", "deno", "sh", "bash", "zsh", "go", "air", "python3", "nvim", "code", "chrome", "tmux", "postgres", "esbuild", "ssh"}

// scene is one random machine's evening.
type scene struct {
	t      *testing.T
	r      *rand.Rand
	base   string
	root   string // of the project that dev:stop is called for
	actors []actor
}

// folders of this project, and of others around and inside it.
var (
	oursFolders  = []string{"", "src", "packages/tool", "apps/web", "deep/er/est"}
	otherFolders = []string{".claude/worktrees/x", ".worktrees/y", "vendor/lib", "../shop2", "../elsewhere/shop", ".claude/worktrees/x/apps/web"}
)

func newScene(t *testing.T, r *rand.Rand, base string) *scene {
	s := &scene{t: t, r: r, base: base, root: filepath.Join(base, "shop")}
	scripts := `{"name":"shop","scripts":{"dev":"vite dev","dev:api":"tsx watch src/api.ts","start":"node worker.js","studio":"prisma studio","storybook":"storybook dev -p 6006","test:ui":"vitest --ui","build":"vite build"}}`
	for path, text := range map[string]string{
		"shop/.git/HEAD": "ref: refs/heads/main\n", "shop/package.json": scripts, "shop/go.mod": "module shop\n",
		"shop/packages/tool/package.json": scripts, "shop/apps/web/package.json": scripts, "shop/src/x": "", "shop/deep/er/est/x": "",
		"shop/.claude/worktrees/x/.git": "gitdir: " + base + "/shop/.git/worktrees/x\n", "shop/.claude/worktrees/x/package.json": scripts,
		"shop/.claude/worktrees/x/apps/web/package.json": scripts,
		"shop/.worktrees/y/.git":                         "gitdir: ../../.git/worktrees/y\n", "shop/.worktrees/y/package.json": scripts,
		"shop/vendor/lib/.git/HEAD": "ref: refs/heads/main\n", "shop/vendor/lib/package.json": scripts,
		"shop2/package.json": scripts, "elsewhere/shop/package.json": scripts, "contained/package.json": scripts, "home/x": "",
	} {
		path = filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 + r.IntN(3) {
		s.actors = append(s.actors, s.something())
	}
	id := 0
	number(s.actors, &id)
	return s
}

func number(list []actor, id *int) {
	for i := range list {
		*id++
		list[i].ID = *id
		number(list[i].Children, id)
	}
}

// pick is one of them.
func pick[T any](s *scene, list ...T) T { return list[s.r.IntN(len(list))] }

// something is one tree of processes, with a starter in front of it or none.
func (s *scene) something() actor {
	ours := s.r.IntN(3) > 0
	dir := filepath.Join(s.root, pick(s, oursFolders...))
	if !ours {
		dir = filepath.Join(s.root, pick(s, otherFolders...))
	}
	var tree actor
	if s.r.IntN(2) == 0 {
		tree = s.devTree(dir)
		if !ours {
			spared(&tree)
		} else if s.r.IntN(12) == 0 && mayUnshare() && !s.builtHere(tree) {
			tree.Dir, tree.Over, tree.Orphan = s.root, filepath.Join(s.base, "contained"), false
			spared(&tree)
			relocate(&tree, tree.Dir)
			return tree
		}
	} else {
		tree = s.beside(dir)
	}
	return s.startedBy(tree, dir)
}

// spared has nothing of a tree be stopped.
func spared(a *actor) {
	a.Stops = false
	for i := range a.Children {
		spared(&a.Children[i])
	}
}

func relocate(a *actor, dir string) {
	for i := range a.Children {
		a.Children[i].Dir, a.Children[i].Orphan = dir, false
		relocate(&a.Children[i], dir)
	}
}

// builtHere tells whether a program of a tree lies in the project's folder, which
// another mount namespace does not show.
func (s *scene) builtHere(tree actor) bool {
	return slices.ContainsFunc(flat([]actor{tree}), func(a actor) bool { return strings.HasPrefix(a.Program, s.root+"/") })
}

// mayUnshare tells whether mount namespaces can be had: as root, outside of a
// container that forbids it.
var mayUnshare = sync.OnceValue(func() bool { return os.Getuid() == 0 && exec.Command("unshare", "-m", "true").Run() == nil })

// startedBy puts whoever may have started it above a tree; they are never stopped.
func (s *scene) startedBy(tree actor, dir string) actor {
	shell := actor{What: "the user's shell", Program: "bash", Args: []string{pick(s, "bash", "-bash")}, Dir: dir, Children: []actor{tree}}
	switch s.r.IntN(7) {
	case 0:
		return shell
	case 1:
		return actor{What: "an agent", Program: "node", Args: []string{"claude"}, Dir: dir, Children: []actor{
			{What: "the agent's shell", Program: "zsh", Args: []string{"zsh", "-c", "source ~/.snapshot.sh && eval 'npm run dev' < /dev/null && pwd -P"}, Dir: dir, Children: []actor{tree}}}}
	case 2:
		return actor{What: "a terminal multiplexer", Program: "tmux", Args: []string{"tmux: server"}, Dir: dir, Children: []actor{shell}}
	case 3:
		server := filepath.Join(s.base, "home/.vscode-server/bin/1/out/server-main.js")
		return actor{What: "an editor's server", Program: "node", Args: []string{"node", server, "--start-server"}, Dir: dir, Listen: true, Children: []actor{
			{What: "the editor's terminal", Program: "bash", Args: []string{"bash", "--init-file", "x"}, Dir: dir, Children: []actor{tree}}}}
	case 4:
		tree.Orphan = true
	}
	return tree
}

// node is a node process with a script.
func node(what, dir string, args ...string) actor {
	return actor{What: what, Program: "node", Args: append([]string{"node"}, args...), Dir: dir, Stops: true}
}

// script is "npm run NAME" as it looks: the manager, its shell and what it runs.
func (s *scene) script(name, line, dir string, inner ...actor) actor {
	env := []string{"npm_lifecycle_event=" + name, "npm_package_json=" + filepath.Join(dir, "package.json")}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		env[1] = "npm_package_json=" + filepath.Join(s.root, "package.json")
	}
	shell := actor{What: "the shell of script " + name, Program: "sh", Args: []string{"sh", "-c", line}, Dir: dir, Env: env, Stops: true, Children: inner}
	run := "npm run " + name
	if name == "start" {
		run = "npm start"
	}
	manager := actor{What: "the manager of script " + name, Program: "node", Args: []string{run}, Dir: dir, Stops: true, Children: []actor{shell}}
	switch s.r.IntN(4) {
	case 0:
		manager.Args = []string{"node", filepath.Join(s.base, "home/lib/node_modules/pnpm/bin/pnpm.cjs"), "run", name}
	case 1:
		manager.Program, manager.Args = "bun", []string{"bun", "run", name}
	}
	return manager
}

// devTree is a dev server of the project in dir, in one of the ways they run.
func (s *scene) devTree(dir string) actor {
	bin := func(name string) string { return filepath.Join(s.rootOf(dir), "node_modules/.bin", name) }
	esbuild := actor{What: "a dependency's program", Program: "esbuild", Args: []string{"esbuild", "--service=0.28"}, Dir: dir, Stops: true}
	vite := node("vite", dir, bin("vite"), "dev")
	vite.Listen, vite.Children = true, []actor{esbuild}
	worker := node("a worker without a port", dir, "worker.js")
	switch s.r.IntN(12) {
	case 0:
		vite.Children = append(vite.Children, s.opened(dir))
		return s.script("dev", "vite dev", dir, vite)
	case 1: // npm and shell are gone
		vite.Orphan = true
		tree := s.script("dev", "vite dev", dir, vite)
		return orphaned(tree, vite)
	case 2:
		next := actor{What: "next-server", Program: "node", Args: []string{"next-server (v16.4.3)"}, Dir: dir, Listen: true, Stops: true}
		return s.script("dev", "next dev", dir, withChildren(node("next dev", dir, bin("next"), "dev"), next))
	case 3: // its worker is left alone
		return actor{What: "an orphaned next-server", Program: "node", Args: []string{"next-server (v16.4.3)"}, Dir: dir, Listen: true, Stops: true, Orphan: true}
	case 4:
		line := `concurrently "vite" "node worker.js" "tsc -w"`
		both := withChildren(node("concurrently", dir, bin("concurrently"), "vite", "node worker.js"), withChildren(shellOf("vite", dir), vite), withChildren(shellOf("node worker.js", dir), worker),
			node("a type checker", dir, bin("tsc"), "-w"), actor{What: "a program of the system's", Program: "python3", Args: []string{"python3", "-m", "http.server"}, Dir: "/", Stops: true})
		return s.script("dev", line, dir, both)
	case 5:
		app := node("node dist/main.js", dir, "dist/main.js")
		app.Listen = true
		return app
	case 6:
		app := node("the child of node --watch", dir, "dist/main.js")
		app.Listen = true
		return withChildren(node("node --watch", dir, "--watch", "dist/main.js"), app)
	case 7:
		app := node("the child of tsx", dir, "--require", "/x/preflight.cjs", "--import", "file:///x/loader.mjs", "src/index.ts")
		app.Listen = true
		return withChildren(node("tsx", dir, bin("tsx"), pick(s, "watch", "--watch"), "src/index.ts"), app)
	case 8:
		name := pick(s, "bun", "deno")
		args := map[string][]string{"bun": {"bun", "--hot", "src/index.ts"}, "deno": {"deno", "run", "-A", "--watch", "src/index.ts"}}[name]
		return actor{What: name, Program: name, Args: args, Dir: dir, Listen: true, Stops: true}
	case 9:
		app := node("the child of nodemon", dir, "server.js")
		app.Listen = true
		tool := pick(s, "nodemon", "nest")
		return withChildren(node(tool, dir, bin(tool), map[string]string{"nodemon": "server.js", "nest": "start"}[tool], "--watch"), app)
	case 10:
		built := filepath.Join(s.base, fmt.Sprintf("go-build%d/b001/exe/web", s.r.IntN(1_000_000)))
		linkSelf(s.t, built)
		web := actor{What: "what go run built", Program: built, Args: []string{built}, Dir: dir, Listen: true, Stops: true}
		return actor{What: "go run", Program: "go", Args: []string{"go", "run", "."}, Dir: dir, Stops: true, Children: []actor{web}}
	default:
		built := filepath.Join(s.rootOf(dir), "tmp/main")
		if _, err := os.Stat(built); err != nil {
			linkSelf(s.t, built)
		}
		web := actor{What: "what air built", Program: built, Args: []string{"./tmp/main"}, Dir: dir, Listen: true, Stops: true}
		return actor{What: "air", Program: "air", Args: []string{"air"}, Dir: dir, Stops: true, Children: []actor{web}}
	}
}

// opened is what a dev server opens for a person.
func (s *scene) opened(dir string) actor {
	seed := actor{What: "what the user typed", Program: "node", Args: []string{"node", "/opt/x/y.js"}, Dir: dir}
	shell := actor{What: "the opened editor's shell", Program: "bash", Args: []string{"bash"}, Dir: dir, Children: []actor{seed}}
	name := pick(s, "nvim", "code", "chrome")
	return actor{What: name + " that the dev server opened", Program: name, Args: []string{name, "src/index.ts"}, Dir: dir, Children: []actor{shell}}
}

// beside is what works in a project's folder and is no dev server.
func (s *scene) beside(dir string) actor {
	bin := filepath.Join(s.rootOf(dir), "node_modules")
	listening := func(a actor) actor { a.Listen, a.Stops = true, false; return a }
	var tree actor
	switch s.r.IntN(9) {
	case 0:
		tree = s.script("studio", "prisma studio", dir, listening(node("prisma studio", dir, bin+"/prisma/build/index.js", "studio")))
	case 1:
		tree = s.script("storybook", "storybook dev -p 6006", dir, listening(node("storybook", dir, bin+"/.bin/storybook", "dev")))
	case 2:
		tree = s.script("test:ui", "vitest --ui", dir, listening(node("vitest", dir, bin+"/.bin/vitest", "--ui")))
	case 3:
		tree = s.script("start", "node worker.js", dir, node("npm start of a worker", dir, "worker.js"))
	case 4:
		tree = listening(node("an MCP server of the project's dependencies", dir, bin+"/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"))
	case 5:
		tree = listening(node("an MCP server from npx", dir, filepath.Join(s.base, "home/.npm/_npx/1/node_modules/some-mcp/cli.js")))
	case 6:
		tree = listening(node("an editor in the browser", dir, filepath.Join(s.base, "home/lib/code-server-4.1/out/node/entry.js")))
	case 7:
		tree = node("a language server", dir, bin+"/typescript/lib/tsserver.js", "--x")
	default:
		tree = actor{What: "a database's client", Program: "ssh", Args: []string{"ssh", "-NL", "5432:localhost:5432", "db"}, Dir: dir, Listen: true}
	}
	spared(&tree)
	return tree
}

// rootOf is the root of the project that a folder is of.
func (s *scene) rootOf(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil || at == s.base {
			return at
		}
		if filepath.Dir(at) == s.base || filepath.Base(filepath.Dir(at)) == "elsewhere" {
			return at
		}
	}
}

func withChildren(a actor, children ...actor) actor {
	a.Children = append(a.Children, children...)
	return a
}

func shellOf(line, dir string) actor {
	return actor{What: "the shell of " + line, Program: "sh", Args: []string{"sh", "-c", line}, Dir: dir, Stops: true}
}

// orphaned is a tree's inner part with what the outer part left it: its environment.
func orphaned(tree, inner actor) actor {
	inner.Env = tree.Children[0].Env
	return inner
}
