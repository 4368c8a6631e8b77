package hostops

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// StopTarget is one process to be stopped, and why.
type StopTarget struct {
	Process Process
	Reason  string
	// Kill has it end by KILL, before the others get their TERM: a launcher that
	// would hand a TERM on to what is to be spared.
	Kill bool
}

// StopPlan is what is to be stopped, in the order of the signals: children
// before their parents. Whatever the targets have started, or start meanwhile,
// is stopped too, except Spare and what that starts.
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

// StopOutcome is one process of the plan, or one that such a process has
// started, afterwards.
type StopOutcome struct {
	Process Process
	Reason  string
	Result  StopResult
	Signal  string // the last signal sent: TERM, KILL; empty: none was, or needed to be
	Detail  string // why it was refused, or is left
}

const (
	defaultGrace = 5 * time.Second
	killWait     = 2 * time.Second // for a killed process to be gone
)

// Stop applies a plan: TERM to each target in order, CONT behind it for what
// is frozen, then the grace, then KILL to what is still there. Right before
// each signal pid and start time are compared again (on Linux the signal goes
// through a pidfd, so that it can't reach another process), and it never goes
// to this process, its ancestors, another user's processes or PostgreSQL.
// Windows has no TERM: there the first signal ends the process at once.
//
// When ctx ends, waiting ends: what was sent TERM is not sent KILL any more,
// nothing stays frozen that was running, and what is not gone then is reported
// as left. When ctx has ended before, nothing is signalled. The outcomes are
// complete with every error.
func Stop(ctx context.Context, plan StopPlan, o StopOptions) ([]StopOutcome, error) {
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	s := &stopping{known: map[Identity]bool{}, spare: plan.Spare, reasons: map[Identity]string{}, seen: map[Identity]bool{}}
	err := s.begin(ctx, plan.Targets)
	if err == nil {
		err = s.wait(ctx, o.Grace)
	}
	if err == nil && s.left() > 0 {
		if err = s.signalAll(ctx, "KILL"); err == nil {
			err = s.wait(ctx, killWait)
		}
	}
	for _, t := range plan.Targets {
		s.add(t) // where there was not even a beginning
	}
	for i := range s.outcomes {
		switch out := &s.outcomes[i]; {
		case out.Result != "":
		case Gone(out.Process.Identity):
			out.Result = ResultGone
		case out.Signal == "":
			out.Result, out.Detail = ResultLeft, "not signalled"
		default:
			out.Result, out.Detail = ResultLeft, "still there after "+out.Signal
		}
	}
	return s.outcomes, err
}

// stopping is the state of one Stop. An outcome without a result is open.
type stopping struct {
	outcomes []StopOutcome
	known    map[Identity]bool // has an outcome
	spare    []Identity
	reasons  map[Identity]string // of the plan
	seen     map[Identity]bool   // by addTree
	sending  string              // TERM or KILL
}

// begin sends TERM to the targets and what they have started. A target's
// children are looked up while it lives: afterwards nobody knows whose they were.
func (s *stopping) begin(ctx context.Context, targets []StopTarget) error {
	table, err := Snapshot(ctx)
	if err != nil {
		return err
	}
	for _, t := range targets {
		s.reasons[t.Process.Identity] = t.Reason
	}
	for _, t := range targets {
		s.addTree(table, t.Process)
	}
	for _, t := range targets {
		if t.Kill {
			s.signalOne(table, t.Process.Identity, "KILL")
		}
	}
	s.signal(table, "TERM")
	return nil
}

// signalOne signals one of those that are open.
func (s *stopping) signalOne(table *Table, id Identity, signal string) {
	for i := range s.outcomes {
		if s.outcomes[i].Process.Identity == id {
			s.send(table, &s.outcomes[i], signal)
		}
	}
}

func (s *stopping) add(t StopTarget) {
	if !s.known[t.Process.Identity] {
		s.known[t.Process.Identity] = true
		s.outcomes = append(s.outcomes, StopOutcome{Process: t.Process, Reason: t.Reason})
	}
}

// addTree adds a process behind everything below it. Below what must not be
// signalled nothing is taken.
func (s *stopping) addTree(table *Table, p Process) {
	if s.seen[p.Identity] {
		return
	}
	s.seen[p.Identity] = true
	reason, planned := s.reasons[p.Identity]
	if !planned {
		reason = "started by a process that is stopped"
	}
	if permitted(table, p) == nil {
		s.addBelow(table, p)
	}
	s.add(StopTarget{Process: p, Reason: reason})
}

func (s *stopping) addBelow(table *Table, p Process) {
	for _, child := range table.Children(p.PID) {
		if child.State != Zombie && !slices.Contains(s.spare, child.Identity) {
			s.addTree(table, child)
		}
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

func (s *stopping) signalAll(ctx context.Context, signal string) error {
	table, err := Snapshot(ctx)
	if err == nil {
		s.signal(table, signal)
	}
	return err
}

// signal sends a signal to all that are open and did not get it yet.
func (s *stopping) signal(table *Table, signal string) {
	s.sending = signal
	for i := range s.outcomes {
		out := &s.outcomes[i]
		if out.Result == "" && out.Signal != signal && out.Signal != "KILL" {
			s.send(table, out, signal)
		}
	}
}

func (s *stopping) send(table *Table, out *StopOutcome, signal string) {
	err := permitted(table, out.Process)
	if err == nil {
		err = send(out.Process.Identity, signal)
	}
	switch {
	case err == nil:
		out.Signal = signal
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrOtherProcess) && out.Signal != "":
		out.Result = ResultGone // before it could be signalled
	default:
		out.Result, out.Detail = ResultRefused, err.Error()
	}
}

// stillThat compares a process with what the plan saw.
func stillThat(id Identity) error {
	now, _, err := identify(id.PID)
	if err != nil {
		return err
	}
	if now != id {
		return ErrOtherProcess
	}
	return nil
}

// permitted is the last gate before a signal.
func permitted(table *Table, p Process) error {
	if p.PID <= 1 || table.IsSelfOrAncestor(p.PID) {
		return ErrSelf
	}
	now, err := Find(p.PID)
	switch {
	case err != nil:
		return err
	case now.Identity != p.Identity:
		return ErrOtherProcess
	case !now.Mine():
		return ErrNotMine
	case KindOf(now) == Postgres:
		return ErrPostgres
	}
	return nil
}

// wait polls until all are gone, and takes what they start meanwhile: with the
// signal that they got themselves, and the rest of their grace.
func (s *stopping) wait(ctx context.Context, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for pause := 2 * time.Millisecond; ; pause = min(pause*3/2, 50*time.Millisecond) {
		for i := range s.outcomes {
			if out := &s.outcomes[i]; out.Result == "" && Gone(out.Process.Identity) {
				out.Result = ResultGone
			}
		}
		if s.left() == 0 || time.Now().After(deadline) {
			return nil
		}
		if err := s.takeStarted(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// takeStarted signals what the last look found, then looks for what the targets
// started meanwhile. What is seen for the first time waits for the next look: a
// shell's child loses a TERM that comes between its fork and its exec.
func (s *stopping) takeStarted(ctx context.Context) error {
	table, err := Snapshot(ctx)
	if err != nil {
		return err
	}
	s.signal(table, s.sending)
	for _, out := range slices.Clone(s.outcomes) {
		if p, ok := table.Process(out.Process.PID); ok && p.Identity == out.Process.Identity && out.Result == "" {
			s.addBelow(table, p)
		}
	}
	return nil
}
