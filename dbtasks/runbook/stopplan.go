package runbook

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// planner collects what is to be stopped and what is spared: by consider, one
// process at a time, and then those above and below them.
type planner struct {
	*machine.Machine
	root    string
	scripts devserver.Scripts
	dev     func(port int) bool // tells the dev ports
	holds   map[int]bool        // by pid: holds a connection to the project's database server

	why   map[int]string
	order []int
	keep  []hostops.Identity // spared children of what is stopped
	first map[int]string     // killed before all others, without TERM: why

	started   map[int]script // cache of scriptOf
	spare     []StopItem
	unsure    []StopItem
	holders   []StopItem
	databases []StopItem
	noted     map[int]bool
}

// planStop finds what is to be stopped at this moment, and touches nothing.
func planStop(ctx context.Context, rb *Runbook, o StopOptions) (StopReport, error) {
	root := projectRoot(rb)
	r := StopReport{Dry: o.Dry, Root: root, Plan: []StopItem{}, Left: []StopOutcome{}, Spared: []StopItem{}, NotJudged: []StopItem{}, Holders: []StopItem{}, Databases: []StopItem{}, CameBack: []StopItem{}, broughtBack: map[int]string{}}
	m, err := machine.Look(ctx)
	if err != nil {
		return r, err
	}
	p := &planner{Machine: m, root: root, scripts: devserver.ReadScripts(root, rb.cfg.DevCommand), dev: rb.cfg.Ports.Contains,
		holds: holdersOf(rb, m), why: map[int]string{}, first: map[int]string{}, started: map[int]script{}, noted: map[int]bool{}}
	all := m.Table.All()
	for _, proc := range all {
		p.consider(proc, o.All)
	}
	for _, pid := range slices.Clone(p.order) {
		p.above(pid)
	}
	for _, pid := range slices.Clone(p.order) {
		p.below(pid)
	}
	p.keepDatabases()
	for _, proc := range all {
		p.name(proc)
	}
	for _, l := range m.Sockets.Listeners() {
		if port := int(l.Addr.Port()); l.PID == 0 && p.dev(port) {
			p.spare = append(p.spare, StopItem{Ports: []int{port}, Reason: "who listens can't be told: another user's process"})
		}
	}
	for _, proc := range m.Table.ChildrenFirst(p.order) {
		it := p.item(proc, p.why[proc.PID])
		if why := p.first[proc.PID]; why != "" {
			it.Reason += "; " + why
		}
		if by := p.supervisor(proc); by != "" {
			it.Supervisor = by
		}
		r.Plan = append(r.Plan, it)
		r.broughtBack[proc.PID] = p.broughtBack(proc)
		if it.Supervisor != "" {
			continue // to signal it is to have it back
		}
		r.plan.Targets = append(r.plan.Targets, hostops.StopTarget{Process: proc, Reason: it.Reason, Kill: p.first[proc.PID] != ""})
	}
	r.plan.Spare = p.keep
	r.Spared, r.NotJudged, r.Holders, r.Databases = append(r.Spared, p.spare...), append(r.NotJudged, p.unsure...), append(r.Holders, p.holders...), append(r.Databases, p.databases...)
	return r, nil
}

// holdersOf are the processes of this machine that hold a connection to the
// server of DATABASE_URL or DIRECT_URL, told by address and port alone: this
// is asked also where nobody can log in. Without a valid URL there are none.
func holdersOf(rb *Runbook, m *machine.Machine) map[int]bool {
	holds := map[int]bool{}
	database, _ := rb.cfg.Database()
	direct, _ := rb.cfg.Direct()
	for _, url := range nonNil(database, direct) {
		for _, h := range url.Hosts {
			for _, c := range m.Sockets.Connections(int(h.Port)) {
				if addr, err := netip.ParseAddr(h.Name); err != nil || addr == c.Remote.Addr() {
					holds[c.PID] = true
				}
			}
			for _, clients := range m.Sockets.UnixClients(int(h.Port)) {
				for _, pid := range clients {
					holds[pid] = true
				}
			}
		}
	}
	delete(holds, 0)
	return holds
}

func nonNil[T any](list ...*T) []*T {
	return slices.DeleteFunc(list, func(t *T) bool { return t == nil })
}

func (p *planner) take(pid int, why string) {
	if _, ok := p.why[pid]; !ok {
		p.why[pid] = why
		p.order = append(p.order, pid)
	}
}

// above takes what stands between a dev server and whoever asked for it: the
// package manager, the sh -c of the script, the watcher that would bring it back.
func (p *planner) above(pid int) {
	for _, up := range p.Table.Ancestors(pid) {
		up = p.Process(up.PID)
		if p.Whose(up, p.root) != machine.Ours || p.refuse(up) != "" {
			return
		}
		same := p.own(up) == "the project's own code" && p.source(up).File == p.file(pid)
		if s := p.scriptOf(up.PID); !same && !devserver.Launcher(up.Args, up.Name) || s.known && !s.dev && !p.scripts.App(s.name) {
			return
		}
		p.take(up.PID, "started the dev server")
		pid = up.PID
	}
}

func (p *planner) file(pid int) string {
	proc := p.Process(pid)
	return p.source(proc).File
}

// below takes the children, whoever they are, except what is a person's, what
// must never be stopped, and what those started in turn.
func (p *planner) below(pid int) {
	for _, child := range p.Table.Children(pid) {
		child = p.Process(child.PID)
		if child.State == hostops.Zombie {
			continue
		}
		switch why := p.refuse(child); why {
		case "", "a forwarder": // a tunnel that the dev script opened is its own
			p.take(child.PID, "child of the dev server")
			p.below(child.PID)
		case "PostgreSQL":
			p.keep = append(p.keep, child.Identity)
			p.note(&p.databases, child, "the dev script runs it")
		default:
			p.keep = append(p.keep, child.Identity)
			if why != underIt {
				p.note(&p.spare, child, why)
			}
		}
	}
}

// keepDatabases has what started a database end without a chance to take the
// database with it. A client of docker compose stops its containers on TERM, and
// concurrently hands TERM on to all that it started.
func (p *planner) keepDatabases() {
	for _, it := range p.databases {
		for _, up := range p.Table.Ancestors(it.PID) {
			if _, planned := p.why[up.PID]; planned {
				p.first[up.PID] = fmt.Sprintf("killed without TERM, so that PostgreSQL (pid %d) runs on", it.PID)
			}
		}
	}
	for _, pid := range p.order {
		if proc := p.Process(pid); composeUp(proc) {
			p.first[pid] = "killed without TERM, so that its containers run on"
			for _, up := range p.Table.Ancestors(pid) {
				if _, planned := p.why[up.PID]; planned && p.first[up.PID] == "" {
					p.first[up.PID] = "killed without TERM, for it would hand that on to docker compose"
				}
			}
		}
	}
}

// composeUp tells a client of docker compose, or of podman's, that is attached
// to the containers which it started.
func composeUp(proc hostops.Process) bool {
	compose := slices.IndexFunc(proc.Args, func(a string) bool {
		base := filepath.Base(a)
		return base == "compose" || base == "docker-compose" || base == "podman-compose"
	})
	return compose >= 0 && slices.Contains(proc.Args[compose:], "up") && !slices.Contains(proc.Args, "-c")
}

// name notes what of this project is left alone and why, where that is worth a
// line: it listens on a dev port, or it is this project's and listens or holds
// sessions.
func (p *planner) name(proc hostops.Process) {
	if _, planned := p.why[proc.PID]; planned || p.noted[proc.PID] || proc.Kernel || proc.State == hostops.Zombie {
		return
	}
	ports := p.Ports(proc.PID)
	onDevPort := slices.ContainsFunc(ports, p.dev)
	if len(ports) == 0 && !p.holds[proc.PID] {
		return
	}
	proc = p.Process(proc.PID)
	ours := p.Whose(proc, p.root) == machine.Ours
	why := p.refuse(proc)
	s := p.scriptOf(proc.PID)
	switch {
	case !ours && !onDevPort, why == underIt && !onDevPort:
	case why != "":
		if onDevPort {
			p.note(&p.spare, proc, why)
		}
	case !ours && p.Whose(proc, p.root) == machine.Untold:
		p.note(&p.unsure, proc, "whose it is can't be told: its folder is hidden, gone or a container's")
	case !ours:
		p.note(&p.spare, proc, "belongs to another project")
	case p.holds[proc.PID]:
		p.note(&p.holders, proc, "this project's, and no dev server")
	case s.known && !s.dev:
		p.note(&p.spare, proc, "runs for the script "+s.name)
	case devserver.Bystander(proc.Args, proc.Exe, proc.Name):
		p.note(&p.spare, proc, "a tool beside the dev server")
	default:
		p.note(&p.unsure, proc, "works in this project's folder, and is neither its code nor a dependency's")
	}
}

func (p *planner) note(list *[]StopItem, proc hostops.Process, why string) {
	if !p.noted[proc.PID] {
		p.noted[proc.PID] = true
		*list = append(*list, p.item(proc, why))
	}
}

func (p *planner) item(proc hostops.Process, reason string) StopItem {
	return item(proc, p.Ports(proc.PID), reason)
}

func item(p hostops.Process, ports []int, reason string) StopItem {
	return StopItem{PID: p.PID, Command: p.Command(), Dir: p.Dir, Ports: ports, Reason: reason}
}
