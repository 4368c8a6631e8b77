package runbook

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// script is what a process was started by.
type script struct {
	name  string // of the package script; "" where there was none
	known bool   // it was one, of this project
	dev   bool   // one of those that run a dev server
	live  bool   // told by a package manager that runs still, not by the environment alone
}

// consider decides about one process for itself. What belongs to this
// project's dev servers is decided by rule, not by a list of names:
//
//   - what a dev script started, its whole tree, whoever its members are;
//   - what listens, and is the project's own code or comes from its own
//     dependencies;
//   - what holds sessions of the project's database and was started by a script
//     that runs the app;
//
// less what another script started (studio, storybook, test:ui), and less what
// a dev server opened for a person. Who started a dev server does not matter.
func (p *planner) consider(proc hostops.Process, all bool) {
	if proc.Kernel || proc.State == hostops.Zombie || !proc.Mine() {
		return
	}
	ports := p.Ports(proc.PID)
	onDevPort := slices.ContainsFunc(ports, p.dev)
	proc = p.Process(proc.PID)
	if p.Whose(proc, p.root) != machine.Ours {
		if p.refuse(proc) == "" && all && onDevPort && (isNode(proc) || p.recognised(proc) != "") && p.Whose(proc, p.root) != machine.Untold {
			p.take(proc.PID, fmt.Sprintf("listens on port %d (-all)", ports[0]))
		}
		return
	}
	if p.refuse(proc) != "" {
		return
	}
	s, what := p.scriptOf(proc.PID), p.recognised(proc)
	own, tool := p.own(proc), devserver.Bystander(proc.Args, proc.Exe, proc.Name)
	name, _ := devserver.RunsScript(proc.Args, proc.Name)
	switch {
	case s.dev && (s.live && name != "" && p.scripts.Dev(name) || p.scripts.RunsLine(proc.Args)):
		p.take(proc.PID, "runs the dev script "+s.name)
	case p.scripts.RunsLine(proc.Args) && !s.known:
		p.take(proc.PID, "runs the dev script's line")
	case s.dev && (own != "" || what != "" || devserver.Launcher(proc.Args, proc.Name)):
		p.take(proc.PID, "started by the dev script "+s.name)
	case s.known && !s.dev && !p.scripts.App(s.name), tool, name != "":
	case len(ports) > 0 && own != "":
		p.take(proc.PID, fmt.Sprintf("listens on port %d, and is %s", ports[0], own))
	case onDevPort && p.inline(proc):
		p.take(proc.PID, fmt.Sprintf("listens on port %d", ports[0]))
	case what != "":
		p.take(proc.PID, what)
	case p.holds[proc.PID] && s.known:
		p.take(proc.PID, "holds sessions of the project's database, and was started by the script "+s.name)
	}
}

// recognised is the dev server that a process runs by its command line: "vite dev".
func (p *planner) recognised(proc hostops.Process) string {
	if script, _ := devserver.RunsScript(proc.Args, proc.Name); script != "" {
		return ""
	}
	what, _ := devserver.Recognise(proc.Args, "", proc.Name)
	return what
}

// own tells a process that runs the project's code or a dependency's, in words;
// "": neither, or it can't be told.
func (p *planner) own(proc hostops.Process) string {
	source := p.source(proc)
	switch {
	case source.File != "" && source.Package == "" && machine.Within(filepath.Dir(source.File), p.root), source.GoRun():
		return "the project's own code"
	case source.Package != "" && p.dependency(source.File):
		return "a dependency's program"
	}
	if what, ok := devserver.Recognise(proc.Args, "", proc.Name); ok && source.File == "" {
		return what // under a title that it gave itself
	}
	return ""
}

// source is where the code that a process runs comes from. pm2 gives its
// processes a title, cut off where it is longer than what was there before, and
// the file in their environment.
func (p *planner) source(proc hostops.Process) devserver.Source {
	if strings.HasPrefix(p.Process(proc.PPID).Title(), "PM2 v") {
		if file := hostops.Variables(proc.PID, "pm_exec_path")["pm_exec_path"]; file != "" {
			return devserver.SourceOf([]string{"node", file}, "", proc.Dir)
		}
	}
	return devserver.SourceOf(proc.Args, proc.Exe, proc.Dir)
}

// dependency tells whether a file in node_modules is of this project's own, and
// not of npx's cache or another project's. The folder may be a link to
// elsewhere, so the path counts as it was written.
func (p *planner) dependency(file string) bool {
	above, _, _ := strings.Cut(filepath.ToSlash(file), "/node_modules/")
	return machine.Within(filepath.FromSlash(above), p.root)
}

// inline tells an interpreter whose code stands on its command line, or is hidden
// behind a title that the process gave itself: on a dev port, and in the
// project's folder, it is taken for the project's.
func (p *planner) inline(proc hostops.Process) bool {
	source := p.source(proc)
	return source.Inline || source.File == "" && isNode(proc)
}

// scriptOf tells which package script a process was started by: by the package
// managers above it, or, where these are gone, by what they left in its
// environment (npm_lifecycle_event). What a person's program stands between was
// started by the person: an editor that a dev server opened, its terminal, and
// what is typed there.
func (p *planner) scriptOf(pid int) script {
	if s, ok := p.started[pid]; ok {
		return s
	}
	s := p.findScript(pid)
	p.started[pid] = s
	return s
}

func (p *planner) findScript(pid int) script {
	chain := []hostops.Process{p.Process(pid)}
	for _, up := range p.Table.Ancestors(pid) {
		chain = append(chain, p.Process(up.PID))
	}
	found := script{}
	passed := false
	for i, proc := range chain {
		if i > 0 && (p.person(proc) || devserver.Interactive(proc.Args)) {
			passed = true
			break
		}
		name, dir := devserver.RunsScript(proc.Args, proc.Name)
		if name == "" || !proc.Mine() || p.Whose(proc, p.root) != machine.Ours || dir != "" && !machine.Within(absolute(proc.Dir, dir), p.root) {
			continue
		}
		if dev := p.scripts.Dev(name); !found.dev && (!found.known || dev) {
			found = script{name: name, known: true, dev: dev, live: true}
		}
	}
	if found.known {
		return found
	}
	env := hostops.Variables(pid, "npm_lifecycle_event", "npm_package_json")
	name := env["npm_lifecycle_event"]
	if name == "" || name == "npx" || passed {
		// A terminal in between may have the environment of what opened it.
		return script{}
	}
	if file := env["npm_package_json"]; file != "" && !machine.Within(filepath.Dir(file), p.root) {
		return script{}
	}
	return script{name: name, known: true, dev: p.scripts.Dev(name)}
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// person tells a program with a person's work in it. A program of the project's
// own may have the name of one.
func (p *planner) person(proc hostops.Process) bool {
	return devserver.UserProgram(proc.Args, proc.Exe, proc.Name) && p.own(proc) != "the project's own code"
}

// underIt is why an ancestor is left alone; it is not worth a line.
const underIt = "this tool runs under it"

// refuse is why a process is left alone whatever it does; empty: it is not.
func (p *planner) refuse(proc hostops.Process) string {
	switch kind := hostops.KindOf(proc); {
	case !proc.Mine():
		return "another user's process"
	case p.Table.IsSelfOrAncestor(proc.PID):
		return underIt
	case kind == hostops.Postgres:
		return "PostgreSQL"
	case kind == hostops.Forwarder:
		return "publishes a container's port: stop the container instead"
	case kind == hostops.Tunnel, kind == hostops.Pooler:
		return "a forwarder"
	case p.person(proc):
		return "an editor, a browser, a terminal or an agent"
	case strings.HasPrefix(proc.Title(), "PM2 v"):
		return "pm2, which runs other projects too"
	}
	return ""
}

func isNode(p hostops.Process) bool {
	switch p.Name {
	case "node", "bun", "deno", "node.exe", "bun.exe", "deno.exe":
		return true
	}
	return false
}
