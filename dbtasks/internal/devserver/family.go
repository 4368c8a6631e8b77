package devserver

import (
	"context"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// family is the tree of a command: what is below root, and what was once.
// Where root is a subreaper nothing leaves it; elsewhere look must be called
// often enough to see a process before it leaves.
type family struct {
	root   int
	before map[hostops.Identity]bool // children that root had already
	known  map[hostops.Identity]bool
}

// newFamily takes the children that root has now for somebody else's.
func newFamily(ctx context.Context, root int) *family {
	f := &family{root: root, before: map[hostops.Identity]bool{}, known: map[hostops.Identity]bool{}}
	if table, err := hostops.Snapshot(ctx); err == nil {
		for _, p := range table.Children(root) {
			f.before[p.Identity] = true
		}
	}
	return f
}

// look makes the plan of what would be ended now, children before their
// parents. The user's own programs in it are spared, with what they started.
func (f *family) look(ctx context.Context) (hostops.StopPlan, error) {
	var plan hostops.StopPlan
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return plan, err
	}
	taken := map[int]bool{f.root: true}
	var pids []int
	var take func(p hostops.Process)
	take = func(p hostops.Process) {
		if taken[p.PID] || f.before[p.Identity] || p.State == hostops.Zombie {
			return
		}
		taken[p.PID] = true
		if userProgram(p.Args, "", p.Name) {
			plan.Spare = append(plan.Spare, p.Identity)
			return
		}
		pids = append(pids, p.PID)
		f.known[p.Identity] = true
		for _, child := range table.Children(p.PID) {
			take(child)
		}
	}
	for _, child := range table.Children(f.root) {
		take(child)
	}
	for id := range f.known {
		if p, ok := table.Process(id.PID); ok && p.Identity == id {
			take(p)
		} else {
			delete(f.known, id)
		}
	}
	for _, p := range table.ChildrenFirst(pids) {
		plan.Targets = append(plan.Targets, hostops.StopTarget{Process: p, Reason: "started by the command"})
	}
	return plan, nil
}

// end ends the whole tree and says what is left. What was started or orphaned
// meanwhile is taken in further rounds, for which there is less patience.
func (f *family) end(ctx context.Context, grace time.Duration) []hostops.Process {
	var left []hostops.Process
	refused := map[hostops.Identity]bool{}
	for range 5 {
		plan, err := f.look(ctx)
		if err != nil {
			return left
		}
		targets := plan.Targets[:0:0]
		for _, t := range plan.Targets {
			if !refused[t.Process.Identity] {
				targets = append(targets, t)
			}
		}
		if len(targets) == 0 {
			return left
		}
		plan.Targets = targets
		outcomes, _ := hostops.Stop(ctx, plan, hostops.StopOptions{Grace: grace})
		for _, out := range outcomes {
			if out.Result != hostops.ResultGone {
				refused[out.Process.Identity] = true
				left = append(left, out.Process)
			}
		}
		grace = 200 * time.Millisecond
	}
	return left
}
