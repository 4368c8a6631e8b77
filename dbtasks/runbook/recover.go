package runbook

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// RestartPolicy says when dev:recover restarts PostgreSQL.
type RestartPolicy string

// RestartAuto restarts only when the server lets nobody in even after the
// project's dev processes are stopped and every other door was tried.
const (
	RestartAuto   RestartPolicy = "auto"
	RestartAlways RestartPolicy = "always"
	RestartNever  RestartPolicy = "never"
)

// RecoverOptions are the flags of dev:recover.
type RecoverOptions struct {
	Restart RestartPolicy
	Start   bool // run the dev server at the end
	Dry     bool // make the plan and apply nothing
	Remote  string
	Guard   int
	// Stdin, Stdout and Stderr are the dev server's own.
	Stdin, Stdout, Stderr *os.File
	// Answers is called when all is done and the dev server answers; it runs on
	// then. Nil: nobody asks.
	Answers func(port int)
}

// Step is one of the five steps of the emergency procedure.
type Step struct {
	Name   string `json:"name"`   // stop, restart, cleanup, test, start
	Plan   string `json:"plan"`   // what it would do
	Status string `json:"status"` // planned, done, skipped, failed
	Result string `json:"result,omitempty"`
	TookMS int64  `json:"took_ms"`
	// Ends are the sessions that a restart would end, of every database.
	Ends []SessionsOfRole `json:"ends,omitempty"`
}

// The statuses of a step.
const (
	StepPlanned = "planned"
	StepDone    = "done"
	StepSkipped = "skipped"
	StepFailed  = "failed"
)

// RecoverReport is the whole procedure.
type RecoverReport struct {
	OK      bool           `json:"ok"`
	Dry     bool           `json:"dry"`
	Target  Target         `json:"target"`
	Steps   []Step         `json:"steps"`
	Stop    *StopReport    `json:"stop,omitempty"`
	Cleanup *CleanupReport `json:"cleanup,omitempty"`
	Test    *TestReport    `json:"test,omitempty"`
	Started *StartReport   `json:"start,omitempty"`
	TookMS  int64          `json:"took_ms"` // without the dev server's own life
	Next    string         `json:"next,omitempty"`
}

// recovery is one run of the procedure.
type recovery struct {
	rb     *Runbook
	o      RecoverOptions
	report *RecoverReport
	emit   func(Step)
	entry  *access // the session that got in; held until the cleanup used it
	began  time.Time
	// serverStarted is what the server said of its start before it was touched;
	// zero: nobody was let in.
	serverStarted time.Time
}

// Recover plans the five steps, hands each to emit when it is over, and stops
// at the first that fails. With Dry it only plans. planned is called with the
// plan before anything is done. Both may be nil.
func (rb *Runbook) Recover(ctx context.Context, o RecoverOptions, planned func(RecoverReport), emit func(Step)) (RecoverReport, error) {
	var report RecoverReport
	switch o.Restart {
	case RestartAuto, RestartAlways, RestartNever:
	default:
		return report, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-restart wants auto, always or never, not %q; nothing was touched.", o.Restart),
			Next: rb.Command("dev:recover -restart=auto")}
	}
	if err := rb.cfg.CheckCommand(settings.RestartCommand); err != nil {
		return report, err
	}
	if err := rb.connectLimited(); err != nil {
		return report, err
	}
	readOnly := rb.cfg.ReadOnly && !o.Dry
	if readOnly {
		o.Dry = true
	}
	r := &recovery{rb: rb, o: o, report: &report, emit: told(emit), began: time.Now()}
	defer r.close()
	if err := r.plan(ctx); err != nil {
		return report, err
	}
	told(planned)(report)
	if readOnly {
		return report, refusedReadOnly(rb, "dev:recover")
	}
	if o.Dry {
		report.OK = true
		return report, nil
	}
	err := r.apply(ctx) // before the return: Go does not say that report is read after the call
	return report, err
}

func (r *recovery) close() {
	if r.entry != nil {
		r.entry.release()
		r.entry = nil
	}
}

// plan looks at everything and touches nothing.
func (r *recovery) plan(ctx context.Context) error {
	r.report.Dry = r.o.Dry
	a, refused := openURL(ctx, r.rb)
	if refused == nil {
		r.serverStarted = a.server.Started
		defer a.release()
		if err := checkLimit(r.rb, a.server); err != nil {
			return err
		}
	}
	sc, err := a.sceneNow(ctx, r.rb)
	if err != nil {
		return err
	}
	target := targetOf(r.rb.pool.URL(), sc.srv)
	r.report.Target = target
	// A server that lets nobody in proves nothing yet; the gate stands again before
	// the cleanup. One that let us in and is not proven is refused now, before
	// anything is stopped, as is what is known to be another machine's.
	if a != nil || !sc.mayStillBeLocal() {
		if _, err := target.permit(r.rb, "dev:recover", r.o.Remote); err != nil {
			return err
		}
	}
	restart, noWay := restartOf(r.rb, sc)
	revive := revivalOf(r.rb, sc)
	if revive == nil {
		if err := r.restartable(ctx, restart, noWay, refused); err != nil {
			return err
		}
	}
	stop, err := planStop(ctx, r.rb, StopOptions{})
	if err != nil {
		return err
	}
	r.report.Stop = &stop
	stopPlan := "nothing of this project runs"
	if len(stop.Plan) > 0 {
		stopPlan = fmt.Sprintf("stop %d processes: %s …", len(stop.Plan), describe(stop.Plan[0]))
	}
	start := StepPlanned
	startPlan := "run the dev server"
	if command, err := devCommand(r.rb, StartOptions{}, r.rb.cfg.Ports.First()); err == nil {
		startPlan = "run the dev server: " + command.Line
	} else if r.o.Start {
		return err
	}
	switch {
	case !r.o.Start:
		start, startPlan = StepSkipped, "-start=false"
	case len(stop.Databases) > 0:
		db := stop.Databases[0]
		r.report.Next = fmt.Sprintf("kill -INT %d   (stops PostgreSQL in good order), then: %s", db.PID, r.rb.Command("dev:start"))
		start, startPlan = StepSkipped, fmt.Sprintf("the dev script runs PostgreSQL too, which is left running (pid %d) and would be started a second time", db.PID)
	}
	step := r.restartStep(restart, revive, noWay)
	if step.Status == StepPlanned && revive == nil {
		step.Ends = sc.restartEnds(ctx, sc.sessionsToEnd(ctx, r.rb, a))
	}
	r.report.Steps = []Step{
		{Name: "stop", Plan: stopPlan, Status: StepPlanned},
		step,
		{Name: "cleanup", Plan: fmt.Sprintf("end every client session of %s", target), Status: StepPlanned},
		{Name: "test", Plan: "log in afresh and run a query", Status: StepPlanned},
		{Name: "start", Plan: startPlan, Status: start},
	}
	return nil
}

// mayStillBeLocal tells whether a server that is not proven local may turn out
// to be: it is down, or what listens is hidden, at an address of this machine.
func (sc scene) mayStillBeLocal() bool {
	return sc.srv.Kind == server.Unknown || sc.srv.Kind == server.Nothing
}

// restartable refuses before the dev server is stopped for nothing: where a
// restart is asked for, or is all that can help (refused is why the login
// failed), and can't be done or would leave the server down. Where all slots
// are taken the dev server's own end may be what helps.
func (r *recovery) restartable(ctx context.Context, plan pgserver.Restart, noWay, refused error) error {
	needed := r.o.Restart == RestartAlways
	if r.o.Restart == RestartAuto && refused != nil && ctx.Err() == nil {
		why := loginFailure(r.rb, r.rb.pool.URL(), refused)
		needed = restartHelps(why) && !stoppingHelps(why)
	}
	switch {
	case r.o.Restart == RestartNever:
		return nil
	case needed && noWay != nil:
		return noRestart(r.rb, noWay)
	case needed:
		if err := plan.Check(); err != nil {
			return notReady(r.rb, "dev:recover", err)
		}
	}
	return nil
}

func (r *recovery) restartStep(plan pgserver.Restart, revive *revival, err error) Step {
	s := Step{Name: "restart", Status: StepPlanned}
	how := restartWords(plan, err)
	if revive != nil {
		how = revive.line
	}
	switch r.o.Restart {
	case RestartNever:
		s.Status, s.Plan = StepSkipped, "-restart=never"
	case RestartAlways:
		s.Plan = how
	default:
		s.Plan = "only if nobody is let in even then: " + how
	}
	return s
}
