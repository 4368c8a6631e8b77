package hostops

import (
	"context"
	"os"
	"slices"
	"sync"
)

// Table is all processes at one moment.
type Table struct {
	byPID    map[int]Process
	children map[int][]int
	detailed map[int]bool
	mu       sync.Mutex // guards byPID and detailed against Detail's lazy reads
}

// Snapshot lists the processes of this machine that this user may see, in one
// pass, without what costs a call each (Exe, Dir, StartTime).
func Snapshot(ctx context.Context) (*Table, error) {
	list, err := listProcesses(ctx)
	if err != nil {
		return nil, err
	}
	return newTable(list), nil
}

func newTable(list []Process) *Table {
	t := &Table{byPID: make(map[int]Process, len(list)), children: map[int][]int{}, detailed: map[int]bool{}}
	for _, p := range list {
		t.byPID[p.PID] = p
		t.children[p.PPID] = append(t.children[p.PPID], p.PID)
	}
	return t
}

// All lists the processes by pid.
func (t *Table) All() []Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Process, 0, len(t.byPID))
	for _, p := range t.byPID {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return all
}

// Process is one process of the table.
func (t *Table) Process(pid int) (Process, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.byPID[pid]
	return p, ok
}

// Detail is one process with Exe, Dir and StartTime, read now and once.
func (t *Table) Detail(pid int) Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.byPID[pid]
	if !t.detailed[pid] {
		addDetail(&p)
		t.byPID[pid], t.detailed[pid] = p, true
	}
	return p
}

// Children are the direct children.
func (t *Table) Children(pid int) []Process {
	var list []Process
	for _, child := range t.children[pid] {
		if p, ok := t.Process(child); ok && child != pid {
			list = append(list, p)
		}
	}
	return list
}

// Descendants are the children, their children and so on, children before
// their parents.
func (t *Table) Descendants(pid int) []Process {
	var list []Process
	for _, child := range t.Children(pid) {
		list = append(list, t.Descendants(child.PID)...)
		list = append(list, child)
	}
	return list
}

// Ancestors are parent, grandparent and so on, nearest first.
func (t *Table) Ancestors(pid int) []Process {
	var list []Process
	p, ok := t.Process(pid)
	for ok && p.PPID > 0 && p.PPID != p.PID && len(list) < 1000 {
		if p, ok = t.Process(p.PPID); ok {
			list = append(list, p)
		}
	}
	return list
}

// IsSelfOrAncestor tells whether this very process runs as, or under, pid.
func (t *Table) IsSelfOrAncestor(pid int) bool {
	if pid == os.Getpid() {
		return true
	}
	return slices.ContainsFunc(t.Ancestors(os.Getpid()), func(p Process) bool { return p.PID == pid })
}

// ChildrenFirst lists the processes of pids, every child before its parent.
func (t *Table) ChildrenFirst(pids []int) []Process {
	list := make([]Process, 0, len(pids))
	depth := map[int]int{}
	for _, pid := range pids {
		if _, ok := t.Process(pid); ok {
			list = append(list, t.Detail(pid))
			depth[pid] = len(t.Ancestors(pid))
		}
	}
	slices.SortStableFunc(list, func(a, b Process) int { return depth[b.PID] - depth[a.PID] })
	return list
}
