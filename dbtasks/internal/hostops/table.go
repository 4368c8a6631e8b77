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
	return SnapshotBut(ctx, func(_, _ Process) bool { return false })
}

// SnapshotBut lists them without command line and owner of those that bare
// says, by name and parent's name: a server's thousand backends, say, when
// their clients are all that is asked for. Where the system tells all at once
// (everywhere but on Linux) nothing is left out.
func SnapshotBut(ctx context.Context, bare func(p, parent Process) bool) (*Table, error) {
	list, err := listProcesses(ctx, bare)
	if err != nil {
		return nil, err
	}
	t := newTable(list)
	if _, ok := t.byPID[os.Getpid()]; !ok {
		return nil, ErrNoProcesses
	}
	return t, nil
}

func newTable(list []Process) *Table {
	t := &Table{byPID: make(map[int]Process, len(list)), children: map[int][]int{}, detailed: map[int]bool{}}
	for _, p := range list {
		t.byPID[p.PID] = p
	}
	for _, p := range list {
		if _, ok := t.parent(p); ok {
			t.children[p.PPID] = append(t.children[p.PPID], p.PID)
		}
	}
	return t
}

// parent is the process that started p, or took it over. A process that began
// after its child is neither: it only has the pid of one that ended (Windows
// keeps a dead parent's pid; elsewhere a snapshot is not one instant).
func (t *Table) parent(p Process) (Process, bool) {
	up, ok := t.byPID[p.PPID]
	return up, ok && up.PID != p.PID && up.Started <= p.Started
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

// Detail is one process with Exe, Dir and StartTime, read now and once; the
// zero Process where the table has none of this pid.
func (t *Table) Detail(pid int) Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.byPID[pid]
	if ok && !t.detailed[pid] {
		addDetail(&p)
		t.byPID[pid], t.detailed[pid] = p, true
	}
	return p
}

// Children are the direct children.
func (t *Table) Children(pid int) []Process {
	var list []Process
	for _, child := range t.children[pid] {
		if p, ok := t.Process(child); ok {
			list = append(list, p)
		}
	}
	return list
}

// Descendants are the children, their children and so on, children before
// their parents.
func (t *Table) Descendants(pid int) []Process {
	var list []Process
	seen := map[int]bool{pid: true}
	var below func(pid int)
	below = func(pid int) {
		for _, child := range t.Children(pid) {
			if !seen[child.PID] {
				seen[child.PID] = true
				below(child.PID)
				list = append(list, child)
			}
		}
	}
	below(pid)
	return list
}

// Ancestors are parent, grandparent and so on, nearest first.
func (t *Table) Ancestors(pid int) []Process {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Process
	seen := map[int]bool{pid: true}
	for p := t.byPID[pid]; ; {
		up, ok := t.parent(p)
		if !ok || seen[up.PID] {
			return list
		}
		seen[up.PID] = true
		list = append(list, up)
		p = up
	}
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
