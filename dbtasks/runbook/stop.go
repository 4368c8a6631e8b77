package runbook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
)

// StopOptions are the flags of dev:stop.
type StopOptions struct {
	All   bool          // also this user's other node and vite listeners on the dev ports
	Dry   bool          // make the plan and apply nothing
	Grace time.Duration // between TERM and KILL; 0: 5 s
}

// StopReport is what was to be stopped, and what became of it.
type StopReport struct {
	OK     bool          `json:"ok"` // everything in the plan is gone
	Dry    bool          `json:"dry"`
	Root   string        `json:"root"`
	Plan   []StopItem    `json:"plan"` // in the order of the signals: children before parents
	Gone   int           `json:"gone"`
	Left   []StopOutcome `json:"left"`   // refused, or still there
	Spared []StopItem    `json:"spared"` // on the dev ports or beside the dev server, and left alone
	// CameBack was started again while we looked on; its reason says by whom.
	CameBack []StopItem `json:"came_back"`
	Next     string     `json:"next,omitempty"` // where something is left to do
	TookMS   int64      `json:"took_ms"`
	plan     hostops.StopPlan
}

// StopItem is one process of a plan.
type StopItem struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	Dir     string `json:"dir"`
	Ports   []int  `json:"ports,omitempty"` // dev ports that it listens on
	Reason  string `json:"reason"`
}

// StopOutcome is one process that is not gone.
type StopOutcome struct {
	StopItem
	Result string `json:"result"` // refused or left
	Detail string `json:"detail"`
}

// Stop stops this project's dev servers: plan, then apply.
func Stop(ctx context.Context, deps *Deps, o StopOptions) (StopReport, error) {
	began := time.Now()
	r, err := planStop(ctx, deps, o)
	if err != nil || o.Dry {
		r.OK = err == nil
		return r, err
	}
	done := deps.waiting("waiting until they are gone")
	outcomes, err := hostops.Stop(ctx, r.plan, hostops.StopOptions{Grace: o.Grace})
	done()
	for _, out := range outcomes {
		if out.Result == hostops.ResultGone {
			r.Gone++
			continue
		}
		r.Left = append(r.Left, StopOutcome{item(out.Process, nil, out.Reason), string(out.Result), out.Detail})
	}
	r.TookMS = time.Since(began).Milliseconds()
	if err == nil {
		r.lookAgain(ctx, deps, o)
	}
	r.OK = err == nil && len(r.Left) == 0 && len(r.CameBack) == 0
	if err != nil {
		why := firstWords(err)
		if ctx.Err() != nil {
			why = "interrupted"
		}
		return r, &Failure{Exit: ExitNotDone, Code: "interrupted", Message: fmt.Sprintf("Stopping was cut short (%s): %d of %d processes are gone, the others were told to end.", why, r.Gone, len(outcomes)), Next: deps.Command("dev:stop"), Err: err}
	}
	return r, nil
}

// planner collects what is to be stopped and what is spared.
type planner struct {
	*machine.Machine
	table  *hostops.Table
	root   string
	onPort map[int][]int // by pid: dev ports that it listens on
	why    map[int]string
	order  []int
	spare  []StopItem
	keep   []hostops.Identity // spared children of what is stopped
}

// planStop finds the dev servers of this project: what listens on the dev
// ports from a folder under its root, what runs a dev command there, the
// children of both, and the package manager and shell above them.
func planStop(ctx context.Context, deps *Deps, o StopOptions) (StopReport, error) {
	r := StopReport{Dry: o.Dry, Root: deps.Config.Root, Plan: []StopItem{}, Left: []StopOutcome{}, Spared: []StopItem{}, CameBack: []StopItem{}}
	m, err := machine.Look(ctx)
	if err != nil {
		return r, err
	}
	table := m.Table
	p := &planner{Machine: m, table: table, root: projectRoot(deps), onPort: map[int][]int{}, why: map[int]string{}}
	hidden := map[int]bool{}
	for _, l := range m.Sockets.Listeners() {
		port := int(l.Addr.Port())
		switch {
		case !deps.Config.Ports.Contains(port):
		case l.PID == 0:
			hidden[port] = true
		case !slices.Contains(p.onPort[l.PID], port):
			p.onPort[l.PID] = append(p.onPort[l.PID], port)
		}
	}
	for _, proc := range table.All() {
		p.consider(proc, o.All)
	}
	for _, pid := range slices.Clone(p.order) {
		p.above(pid)
	}
	for _, pid := range slices.Clone(p.order) {
		p.below(pid)
	}
	for port := range hidden {
		p.spare = append(p.spare, StopItem{Ports: []int{port}, Reason: "who listens can't be told: another user's process"})
	}
	for _, proc := range table.ChildrenFirst(p.order) {
		r.Plan = append(r.Plan, item(proc, p.onPort[proc.PID], p.why[proc.PID]))
		r.plan.Targets = append(r.plan.Targets, hostops.StopTarget{Process: proc, Reason: p.why[proc.PID]})
	}
	r.plan.Spare = p.keep
	r.Spared = append(r.Spared, p.spare...)
	return r, nil
}

// consider decides about one process for itself.
func (p *planner) consider(proc hostops.Process, all bool) {
	ports := p.onPort[proc.PID]
	what, runsDev := devserver.Recognise(proc.Args, "", proc.Name)
	if len(ports) == 0 && !runsDev {
		return
	}
	proc = p.table.Detail(proc.PID)
	mine := p.Whose(proc, p.root) == machine.Ours
	if len(ports) == 0 && !mine {
		return
	}
	reason := what
	if len(ports) > 0 {
		reason = fmt.Sprintf("listens on port %d", ports[0])
	}
	if why := p.neverStop(proc); why != "" {
		if len(ports) > 0 {
			p.spare = append(p.spare, item(proc, ports, why))
		}
		return
	}
	switch {
	case mine:
		p.take(proc.PID, reason)
	case all && (runsDev || isNode(proc)):
		p.take(proc.PID, reason+" (-all)")
	default:
		p.spare = append(p.spare, item(proc, ports, "belongs to another project"))
	}
}

// underIt is why an ancestor is left alone; it is not worth a line.
const underIt = "this tool runs under it"

// neverStop is why a process is left alone whatever it does; empty: it is not.
func (p *planner) neverStop(proc hostops.Process) string {
	switch kind := hostops.KindOf(proc); {
	case !proc.Mine():
		return "another user's process"
	case p.table.IsSelfOrAncestor(proc.PID):
		return underIt
	case kind == hostops.Postgres:
		return "PostgreSQL"
	case kind == hostops.Forwarder:
		return "publishes a container's port: stop the container instead"
	case kind == hostops.Tunnel, kind == hostops.Pooler:
		return "a forwarder"
	case devserver.Bystander(proc.Args, proc.Exe, proc.Name):
		return "an editor, a browser or a tool beside the dev server"
	}
	return ""
}

func (p *planner) take(pid int, why string) {
	if _, ok := p.why[pid]; !ok {
		p.why[pid] = why
		p.order = append(p.order, pid)
	}
}

// above takes the package manager and the sh -c between it and the server.
func (p *planner) above(pid int) {
	for _, up := range p.table.Ancestors(pid) {
		up = p.table.Detail(up.PID)
		if !devserver.Launcher(up.Args, up.Name) || p.Whose(up, p.root) != machine.Ours || p.neverStop(up) != "" {
			return
		}
		p.take(up.PID, "started the dev server")
	}
}

// below takes the children, except what must never be stopped and what that
// started in turn (an editor opened from the error page).
func (p *planner) below(pid int) {
	for _, child := range p.table.Children(pid) {
		child = p.table.Detail(child.PID)
		if child.State == hostops.Zombie {
			continue
		}
		if why := p.neverStop(child); why != "" {
			p.keep = append(p.keep, child.Identity)
			if why != underIt {
				p.spare = append(p.spare, item(child, p.onPort[child.PID], why))
			}
			continue
		}
		p.take(child.PID, "child of the dev server")
		p.below(child.PID)
	}
}

func isNode(p hostops.Process) bool {
	switch p.Name {
	case "node", "bun", "deno", "node.exe", "bun.exe", "deno.exe":
		return true
	}
	return false
}

func item(p hostops.Process, ports []int, reason string) StopItem {
	return StopItem{PID: p.PID, Command: p.Command(), Dir: p.Dir, Ports: ports, Reason: reason}
}
