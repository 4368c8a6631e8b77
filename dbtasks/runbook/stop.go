package runbook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// StopOptions are the flags of dev:stop.
type StopOptions struct {
	All   bool          // also this user's other node and vite listeners on the dev ports
	Dry   bool          // make the plan and apply nothing
	Grace time.Duration // between TERM and KILL; 0: 5 s
}

// StopReport is what was to be stopped, and what became of it.
type StopReport struct {
	OK        bool          `json:"ok"` // everything in the plan is gone, and still gone a moment later
	Dry       bool          `json:"dry"`
	Root      string        `json:"root"`
	Plan      []StopItem    `json:"plan"` // in the order of the signals: children before parents
	Gone      int           `json:"gone"`
	Left      []StopOutcome `json:"left"`       // refused, or still there
	CameBack  []StopItem    `json:"came_back"`  // started again while we looked on; its reason says by whom
	Spared    []StopItem    `json:"spared"`     // on the dev ports or beside the dev server, and left alone
	NotJudged []StopItem    `json:"not_judged"` // of this project by folder; whether they are its dev server can't be told
	Holders   []StopItem    `json:"holders"`    // this project's, no dev servers, and connected to its database server
	Databases []StopItem    `json:"databases"`  // PostgreSQL that the dev script runs, left running
	TookMS    int64         `json:"took_ms"`
	Next      string        `json:"next,omitempty"`
	plan      hostops.StopPlan
	// broughtBack has, by pid, the command that ends a process of the plan for
	// good should it have been brought back.
	broughtBack map[int]string
}

// StopItem is one process of a plan.
type StopItem struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	Dir     string `json:"dir"`
	Ports   []int  `json:"ports,omitempty"` // that it listens on
	Reason  string `json:"reason"`
	// Supervisor is the command that ends the process for good where something
	// that is not this project's alone would start it again: "pm2 stop web".
	Supervisor string `json:"supervisor,omitempty"`
}

// StopOutcome is one process that is not gone.
type StopOutcome struct {
	StopItem
	Result string `json:"result"` // refused or left
	Detail string `json:"detail"`
}

// Stop stops this project's dev servers: plan, then apply.
func (rb *Runbook) Stop(ctx context.Context, o StopOptions) (StopReport, error) {
	began := time.Now()
	r, err := planStop(ctx, rb, o)
	if err != nil || o.Dry {
		r.OK = err == nil
		return r, err
	}
	if rb.cfg.ReadOnly {
		r.Dry = true
		return r, refusedReadOnly(rb, "dev:stop")
	}
	done := rb.waiting("waiting until they are gone")
	outcomes, err := hostops.Stop(ctx, r.plan, hostops.StopOptions{Grace: o.Grace})
	done()
	for _, out := range outcomes {
		if out.Result == hostops.ResultGone {
			r.Gone++
			continue
		}
		r.Left = append(r.Left, StopOutcome{item(out.Process, nil, out.Reason), string(out.Result), out.Detail})
	}
	for _, it := range r.Plan {
		if it.Supervisor != "" {
			r.Left = append(r.Left, StopOutcome{it, string(hostops.ResultRefused), "it would be started again at once; to stop it: " + it.Supervisor})
		}
	}
	if err == nil {
		r.lookAgain(ctx, rb, o)
	}
	r.TookMS = time.Since(began).Milliseconds()
	r.OK = err == nil && len(r.Left) == 0 && len(r.CameBack) == 0
	r.Next = cmp.Or(r.next(), r.Next)
	if err != nil {
		why := firstWords(err)
		if ctx.Err() != nil {
			why = "interrupted"
		}
		return r, &Failure{Exit: ExitNotDone, Code: "interrupted", Message: fmt.Sprintf("Stopping was cut short (%s): %d of %d processes are gone, the others were told to end.", why, r.Gone, len(outcomes)), Next: rb.Command("dev:stop"), Err: err}
	}
	return r, nil
}

// next is the one command that helps most with what is not gone; "" where
// nothing better than what the second look said is known.
func (r *StopReport) next() string {
	for _, it := range slices.Concat(r.CameBack, r.Plan) {
		if it.Supervisor != "" {
			return it.Supervisor
		}
	}
	if len(r.Plan) == 0 && len(r.Holders) > 0 {
		return fmt.Sprintf("kill %d   (this project's, no dev server, and connected to the database)", r.Holders[0].PID)
	}
	return ""
}

// failure is what is not gone, as a procedure that goes on only without it says
// it; nil where all is.
func (r *StopReport) failure(rb *Runbook) error {
	f := &Failure{Exit: ExitNotDone, Code: "not_stopped", Next: cmp.Or(r.Next, rb.Command("dev:stop"))}
	switch {
	case r.OK:
		return nil
	case len(r.Left) > 0:
		f.Message = fmt.Sprintf("%s could not be stopped: %s.", describe(r.Left[0].StopItem), r.Left[0].Detail)
	default:
		f.Code = "came_back"
		f.Message = fmt.Sprintf("%s came back after it had been stopped.", describe(r.CameBack[0]))
	}
	return f
}
