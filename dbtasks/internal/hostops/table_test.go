package hostops

import (
	"slices"
	"testing"
)

func proc(pid, ppid int, started int64) Process {
	return Process{Identity: Identity{pid, started}, PPID: ppid}
}

func pidsOf(list []Process) []int {
	var pids []int
	for _, p := range list {
		pids = append(pids, p.PID)
	}
	return pids
}

func TestAParentThatBeganAfterItsChildIsNone(t *testing.T) {
	t.Parallel()
	// 50 started 60 and ended; its pid was used again by a later process.
	table := newTable([]Process{proc(1, 0, 1), proc(50, 1, 900), proc(60, 50, 100)})
	if got := table.Children(50); got != nil {
		t.Errorf("children %v", pidsOf(got))
	}
	if got := table.Ancestors(60); got != nil {
		t.Errorf("ancestors %v", pidsOf(got))
	}
}

func TestACircleOfParentsEnds(t *testing.T) {
	t.Parallel()
	table := newTable([]Process{proc(50, 60, 7), proc(60, 50, 7), proc(70, 60, 7)})
	if got := pidsOf(table.Ancestors(50)); !slices.Equal(got, []int{60}) {
		t.Errorf("ancestors %v", got)
	}
	if got := pidsOf(table.Descendants(50)); !slices.Equal(got, []int{70, 60}) {
		t.Errorf("descendants %v", got)
	}
}

func TestAProcessThatIsNotInTheTableHasNoDetail(t *testing.T) {
	t.Parallel()
	table := newTable([]Process{proc(50, 0, 7)})
	if p := table.Detail(4711); p.PID != 0 || len(table.All()) != 1 {
		t.Errorf("%v, and %d in the table", p, len(table.All()))
	}
}
