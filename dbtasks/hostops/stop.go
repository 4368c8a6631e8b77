package hostops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// StopTarget is one process to be stopped, and why.
type StopTarget struct {
	Process Process
	Reason  string
}

// StopPlan is what is to be stopped, in the order of the signals: children
// before their parents. Children of the targets that appear meanwhile are
// stopped too, except Spare and what that starts.
type StopPlan struct {
	Targets []StopTarget
	Spare   []Identity
}

// StopOptions say how long to be patient.
type StopOptions struct {
	Grace time.Duration // between TERM and KILL; 0: 5 s

}

// StopResult is what became of one process.
type StopResult string

// The results. Done means gone, not signalled.
const (
	ResultGone    StopResult = "gone"
	ResultRefused StopResult = "refused"
	ResultLeft    StopResult = "left"
)

// StopOutcome is one process of the plan, or a child of one that appeared
// meanwhile, afterwards.
type StopOutcome struct {
	Process Process
	Reason  string
	Result  StopResult
	Signal  string // the last signal sent: TERM, KILL; empty: none was needed
	Detail  string // why it was refused, or is left
}

// The errors of a signal that was not sent.
var (
	ErrOtherProcess = errors.New("the pid belongs to another process by now")
	ErrNotMine      = errors.New("it is another user's process, or whose it is can't be told")
	ErrSelf         = errors.New("this tool runs under it")
	ErrPostgres     = errors.New("it is a PostgreSQL process")
)

const (
	defaultGrace = 5 * time.Second
	killWait     = 2 * time.Second // for a killed process to be gone
)

// Stop applies a plan: TERM to each target in order, CONT behind it for what
// is frozen, then the grace, then KILL to what is still there. Right before
// each signal pid and start time are compared again (on Linux the signal goes
// through a pidfd, so that it can't reach another process), and never goes to
// this process, its ancestors, another user's processes or PostgreSQL.
//
// When ctx ends, waiting ends: what was sent TERM is not sent KILL any more,
// and what is not gone then is reported as left.
func Stop(ctx context.Context, plan StopPlan, o StopOptions) ([]StopOutcome, error) {
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	s := &stopping{known: map[Identity]int{}, spare: plan.Spare}
	for _, t := range plan.Targets {
		s.add(t)
	}
	s.signalAll("TERM")
	s.wait(ctx, o.Grace)
	if ctx.Err() == nil && s.left() > 0 {
		s.signalAll("KILL")
		s.wait(ctx, killWait)
	}
	for i := range s.outcomes {
		if out := &s.outcomes[i]; out.Result == "" {
			out.Result, out.Detail = ResultLeft, fmt.Sprintf("still there after %s", out.Signal)
		}
	}
	return s.outcomes, ctx.Err()
}

// stopping is the state of one Stop. An outcome without a result is open.
type stopping struct {
	outcomes []StopOutcome
	known    map[Identity]int // index into outcomes
	spare    []Identity
}

func (s *stopping) add(t StopTarget) {
	if _, ok := s.known[t.Process.Identity]; !ok {
		s.known[t.Process.Identity] = len(s.outcomes)
		s.outcomes = append(s.outcomes, StopOutcome{Process: t.Process, Reason: t.Reason})
	}
}

func (s *stopping) left() int {
	n := 0
	for _, out := range s.outcomes {
		if out.Result == "" {
			n++
		}
	}
	return n
}

func (s *stopping) signalAll(signal string) {
	table, err := Snapshot(context.Background())
	for i := range s.outcomes {
		out := &s.outcomes[i]
		if out.Result != "" {
			continue
		}
		if err == nil {
			err = permitted(table, out.Process)
		}
		if err == nil {
			err = send(out.Process.Identity, signal)
		}
		switch {
		case errors.Is(err, ErrOtherProcess), Gone(out.Process.Identity):
			if out.Signal == "" && errors.Is(err, ErrOtherProcess) && !gonePID(out.Process.PID) {
				out.Result, out.Detail = ResultRefused, ErrOtherProcess.Error()
			} else {
				out.Result = ResultGone
			}
		case err != nil:
			out.Result, out.Detail = ResultRefused, err.Error()
		default:
			out.Signal = signal
		}
		err = nil
	}
}

func gonePID(pid int) bool {
	_, err := look(pid)
	return err != nil
}

// permitted is the last gate before a signal.
func permitted(table *Table, p Process) error {
	now, err := look(p.PID)
	switch {
	case err != nil || now.Started != p.Started:
		return ErrOtherProcess
	case p.PID <= 1 || table.IsSelfOrAncestor(p.PID):
		return ErrSelf
	case !now.Mine():
		return ErrNotMine
	}
	addDetail(&now)
	if KindOf(now) == Postgres {
		return ErrPostgres
	}
	return nil
}

// wait polls until all are gone, and takes children that appear meanwhile.
func (s *stopping) wait(ctx context.Context, limit time.Duration) {
	deadline := time.Now().Add(limit)
	for pause := 2 * time.Millisecond; ; pause = min(pause*3/2, 50*time.Millisecond) {
		for i := range s.outcomes {
			if out := &s.outcomes[i]; out.Result == "" && Gone(out.Process.Identity) {
				out.Result = ResultGone
			}
		}
		if s.left() == 0 || time.Now().After(deadline) {
			return
		}
		s.takeChildren(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// takeChildren looks for processes that the targets started meanwhile.
func (s *stopping) takeChildren(ctx context.Context) {
	table, err := Snapshot(ctx)
	if err != nil {
		return
	}
	before := len(s.outcomes)
	for _, out := range s.outcomes[:before] {
		if p, ok := table.Process(out.Process.PID); !ok || p.Identity != out.Process.Identity || out.Result == ResultRefused {
			continue
		}
		s.addChildren(table, out.Process.PID)
	}
	if len(s.outcomes) > before {
		s.signalAll("TERM")
	}
}

func (s *stopping) addChildren(table *Table, pid int) {
	for _, child := range table.Children(pid) {
		if child.State == Zombie || slices.Contains(s.spare, child.Identity) {
			continue
		}
		s.addChildren(table, child.PID)
		s.add(StopTarget{child, "child of a stopped process"})
	}
}
