package runbook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// stillGone is when is looked again after everything is gone: a loop or a
// supervisor starts a process again within some tenths of a second.
var stillGone = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}

// lookAgain looks whether what was stopped stays gone, and who brings it back.
func (r *StopReport) lookAgain(ctx context.Context, rb *Runbook, o StopOptions) {
	if r.Gone == 0 {
		return
	}
	stopped := map[hostops.Identity]bool{}
	for _, t := range r.plan.Targets {
		stopped[t.Process.Identity] = true
	}
	for _, wait := range stillGone {
		if pause(ctx, wait) != nil {
			return
		}
		now, err := planStop(ctx, rb, StopOptions{All: o.All})
		if err != nil {
			return
		}
		for _, t := range now.plan.Targets {
			if stopped[t.Process.Identity] {
				continue // it is among those that are left
			}
			back := now.Plan[slices.IndexFunc(now.Plan, func(it StopItem) bool { return it.PID == t.Process.PID })]
			back.Supervisor = now.broughtBack[back.PID]
			by := broughtBack(t.Process, now.plan.Targets)
			if by.PID == 0 && len(back.Ports) == 0 && back.Supervisor == "" {
				// Nobody brings it back, and it serves nothing: what a dev server
				// leaves behind for a moment at its end (Next.js sends what it
				// counted, detached-flush.js).
				continue
			}
			back.Reason = "started again by a process that is gone by now, or by the system's supervisor"
			if by.PID != 0 {
				back.Reason = fmt.Sprintf("started again by %s", by)
				r.Next = fmt.Sprintf("stop that first: kill %d; then: %s", by.PID, rb.Command("dev:stop"))
			}
			r.CameBack = append(r.CameBack, back)
		}
		if len(r.CameBack) > 0 {
			return
		}
	}
}

// broughtBack is the process that started one, or its first forebear that did
// not come back with it; zero where that is the system's first process.
func broughtBack(p hostops.Process, back []hostops.StopTarget) hostops.Process {
	for range 64 {
		up, err := hostops.Find(p.PPID)
		if err != nil || up.PID <= 1 {
			return hostops.Process{}
		}
		withIt := false
		for _, t := range back {
			withIt = withIt || t.Process.Identity == up.Identity
		}
		if !withIt {
			return up
		}
		p = up
	}
	return hostops.Process{}
}
