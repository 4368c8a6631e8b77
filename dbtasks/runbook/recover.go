package runbook

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgserver"
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
}

// Step is one of the five steps of the emergency procedure.
type Step struct {
	Name   string `json:"name"`   // stop, restart, cleanup, test, start
	Plan   string `json:"plan"`   // what it would do
	Status string `json:"status"` // planned, done, skipped, failed
	Result string `json:"result,omitempty"`
	TookMS int64  `json:"took_ms"`
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
}

// recovery is one run of the procedure.
type recovery struct {
	deps   *Deps
	o      RecoverOptions
	report *RecoverReport
	emit   func(Step)
	entry  *access // the session that got in; held until the cleanup used it
	began  time.Time
}

// Recover plans the five steps, hands each to emit when it is over, and stops
// at the first that fails. With Dry it only plans.
func Recover(ctx context.Context, deps *Deps, o RecoverOptions, planned func(RecoverReport), emit func(Step)) (RecoverReport, error) {
	var report RecoverReport
	switch o.Restart {
	case RestartAuto, RestartAlways, RestartNever:
	default:
		return report, &Failure{Exit: ExitSettings, Code: "usage", Message: fmt.Sprintf("-restart wants auto, always or never, not %q; nothing was touched.", o.Restart),
			Next: deps.Command("dev:recover -restart=auto")}
	}
	if err := deps.Connect(); err != nil {
		return report, err
	}
	r := &recovery{deps: deps, o: o, report: &report, emit: emit, began: time.Now()}
	defer r.close()
	if err := r.plan(ctx); err != nil {
		return report, err
	}
	planned(report)
	if o.Dry {
		report.OK = true
		return report, nil
	}
	return report, r.apply(ctx)
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
	target, err := locate(ctx, r.deps.Pool.URL())
	if err != nil {
		return err
	}
	if a, err := openURL(ctx, r.deps, &target); err == nil {
		target = *a.target
		defer a.release()
		if err := checkLimit(r.deps, a.server); err != nil {
			return err
		}
	}
	r.report.Target = target
	// A server that is down or full proves nothing; the gate stands again
	// before the cleanup. What is known to be another machine's is refused now.
	if target.Listener != nil || !r.localHost(ctx) {
		if _, err := target.permit(r.deps, "dev:recover", r.o.Remote); err != nil {
			return err
		}
	}
	stop, err := planStop(ctx, r.deps, StopOptions{})
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
	if command, err := devCommand(r.deps, StartOptions{}, r.deps.Config.Ports.First); err == nil {
		startPlan = "run the dev server: " + command.Line
	} else if r.o.Start {
		return err
	}
	if !r.o.Start {
		start, startPlan = StepSkipped, "-start=false"
	}
	r.report.Steps = []Step{
		{Name: "stop", Plan: stopPlan, Status: StepPlanned},
		r.restartStep(ctx),
		{Name: "cleanup", Plan: fmt.Sprintf("end every client session of %s", target), Status: StepPlanned},
		{Name: "test", Plan: "log in afresh and run a query", Status: StepPlanned},
		{Name: "start", Plan: startPlan, Status: start},
	}
	return nil
}

// localHost tells whether the URL names this machine at all.
func (r *recovery) localHost(ctx context.Context) bool {
	host := r.report.Target.Host
	if host != "" && host[0] == '/' {
		return true
	}
	addrs, err := resolve(ctx, host)
	if err != nil {
		return false
	}
	for _, addr := range addrs {
		if !hostops.LocalAddress(addr) {
			return false
		}
	}
	return true
}

func (r *recovery) restartStep(ctx context.Context) Step {
	s := Step{Name: "restart", Status: StepPlanned}
	how := "no way is known"
	if plan, err := r.restartPlan(ctx); err == nil {
		how = plan.Describe()
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

// restartPlan finds out how this server is restarted.
func (r *recovery) restartPlan(ctx context.Context) (pgserver.Restart, error) {
	target, err := locate(ctx, r.deps.Pool.URL())
	if err != nil {
		return pgserver.Restart{}, err
	}
	var pm *pgserver.Postmaster
	if l := target.Listener; l != nil && l.Kind == hostops.Postgres {
		p, err := hostops.Find(l.PID)
		if err == nil {
			if found, err := pgserver.Inspect(p.PID, p.Exe, p.Args, p.Dir); err == nil {
				pm = &found
			} else if r.deps.Config.RestartCommand == "" {
				return pgserver.Restart{}, err
			}
		}
	}
	return pgserver.PlanRestart(pm, r.deps.Config.RestartCommand)
}

func (r *recovery) apply(ctx context.Context) error {
	steps := []func(context.Context, *Step) error{r.stop, r.restart, r.cleanup, r.test, r.start}
	for i, do := range steps {
		s := &r.report.Steps[i]
		if s.Status == StepSkipped {
			r.emit(*s)
			continue
		}
		began := time.Now()
		err := do(ctx, s)
		s.TookMS = time.Since(began).Milliseconds()
		if err == nil && s.Status == StepPlanned {
			s.Status = StepDone
		}
		if err != nil {
			s.Status = StepFailed
			if s.Result == "" {
				s.Result = err.Error()
			}
		}
		if s.Name != "start" || err != nil {
			r.emit(*s)
		}
		if err != nil {
			return r.stoppedAt(i, err)
		}
	}
	r.report.OK = true
	return nil
}

// stoppedAt is the failure of a step: what is done, what is not, what next.
func (r *recovery) stoppedAt(i int, err error) error {
	f := AsFailure(err)
	done, not := "", ""
	for j, s := range r.report.Steps {
		switch {
		case j < i && s.Status == StepDone:
			done += " " + s.Name
		case j >= i && s.Status != StepSkipped:
			not += " " + s.Name
		}
	}
	if done == "" {
		done = " nothing"
	}
	out := *f
	out.Message = fmt.Sprintf("Recovery stopped at %q: %s", r.report.Steps[i].Name, f.Message)
	out.Details = append([]string{"done:" + done, "not done:" + not}, f.Details...)
	if out.Exit == ExitRefused && i > 0 {
		out.Exit = ExitNotDone // something was touched
	}
	if out.Next == "" {
		out.Next = r.deps.Command("dev:recover")
	}
	return &out
}

func (r *recovery) stop(ctx context.Context, s *Step) error {
	stopped, err := Stop(ctx, r.deps, StopOptions{})
	if err != nil {
		return err
	}
	r.report.Stop = &stopped
	s.Result = fmt.Sprintf("%d processes gone", stopped.Gone)
	if !stopped.OK {
		left := stopped.Left[0]
		return &Failure{Exit: ExitNotDone, Code: "not_stopped", Message: fmt.Sprintf("%s could not be stopped: %s.", describe(left.StopItem), left.Detail), Next: r.deps.Command("dev:stop")}
	}
	return nil
}

// restart gets in, or restarts the server so that somebody can.
func (r *recovery) restart(ctx context.Context, s *Step) error {
	if r.o.Restart == RestartAuto {
		a, err := open(ctx, r.deps, openOptions{caller: "dev:recover", remote: r.o.Remote, harm: true, signal: true})
		if err == nil {
			r.entry = a
			s.Status, s.Result = StepSkipped, "not needed: got in "+a.route.Words()
			return nil
		}
		if !restartHelps(err) {
			return err
		}
		r.deps.progress("nobody is let in: %s", err)
	}
	if !r.localHost(ctx) {
		return &Failure{Exit: ExitRefused, Code: "refused_remote", Message: fmt.Sprintf("%s is not this machine: its server is not restarted from here.", r.report.Target.At()),
			Next: "restart it there, then: " + r.deps.Command("dev:recover -restart=never -remote="+r.report.Target.Database)}
	}
	plan, err := r.restartPlan(ctx)
	if err != nil {
		return &Failure{Exit: ExitNotDone, Code: "no_restart", Message: "PostgreSQL can't be restarted from here: " + err.Error(),
			Next: `restart it your way, then: ` + r.deps.Command("dev:recover -restart=never") + ` (or set DBTASKS_RESTART_COMMAND in .env)`, Err: err}
	}
	if err := r.restartPermitted(ctx); err != nil {
		return err
	}
	r.deps.progress("restarting PostgreSQL: %s", plan.Describe())
	r.deps.Pool.Close()
	if err := plan.Apply(ctx, r.deps.Progress); err != nil {
		return &Failure{Exit: ExitNotDone, Code: "restart_failed", Message: "PostgreSQL was not restarted: " + err.Error(), Next: plan.Describe(), Err: err}
	}
	if err := r.awaitLogin(ctx); err != nil {
		return err
	}
	s.Result = "restarted, and lets a login in"
	return nil
}

// restartHelps tells whether a restart may mend what kept us out. A wrong
// password or a wrong host it can't.
func restartHelps(err error) bool {
	f := AsFailure(err)
	c := pgops.Cause(f.Code)
	return c.Passing()
}

// restartPermitted: a restart ends every session of every database of the
// server, so it must be this machine's own, -remote or not.
func (r *recovery) restartPermitted(ctx context.Context) error {
	if r.deps.Config.RestartCommand != "" {
		return nil // the user named the command for this project
	}
	target, err := locate(ctx, r.deps.Pool.URL())
	if err != nil {
		return err
	}
	_, err = target.permit(r.deps, "dev:recover", "")
	return err
}

// restartTimeout bounds the wait for the first login after a restart; a server
// that replays its log may need it.
const restartTimeout = 30 * time.Second

func (r *recovery) awaitLogin(ctx context.Context) error {
	err := pgops.Retry(ctx, restartTimeout, func(ctx context.Context) error {
		c, err := r.deps.Pool.Acquire(ctx)
		if err == nil {
			c.Release()
		}
		return err
	})
	if err != nil {
		return loginFailure(r.deps, r.deps.Pool.URL(), err)
	}
	return nil
}

func (r *recovery) cleanup(ctx context.Context, s *Step) error {
	o := CleanupOptions{Force: true, Remote: r.o.Remote, Caller: "dev:recover"}
	a := r.entry
	if a == nil {
		var err error
		if a, err = open(ctx, r.deps, openOptions{caller: "dev:recover", remote: r.o.Remote, harm: true, signal: true}); err != nil {
			return err
		}
		r.entry = a
	}
	clean, err := cleanup(ctx, r.deps, a, o)
	r.close()
	if err != nil {
		return err
	}
	r.report.Cleanup = &clean
	s.Result = fmt.Sprintf("%d of %d sessions ended, %d came back, %d of %d usable slots free", clean.Ended, len(clean.Plan), len(clean.CameBack), clean.Free, clean.Usable)
	if !clean.OK && len(clean.LeftOver) > 0 {
		return &Failure{Exit: ExitNotDone, Code: "left_over", Message: fmt.Sprintf("%d sessions did not end within 5 s (frozen, or ending a long transaction).", len(clean.LeftOver)),
			Next: r.deps.Command("dev:recover -restart=always")}
	}
	return nil
}

func (r *recovery) test(ctx context.Context, s *Step) error {
	t, err := Test(ctx, r.deps, TestOptions{})
	if err != nil {
		return err
	}
	r.report.Test = &t
	s.Result = fmt.Sprintf("logged in as %q in %.0f ms, %d of %d usable slots in use", t.Target.Role, t.LoginMS, t.Slots.Used, t.Usable)
	return nil
}

func (r *recovery) start(ctx context.Context, s *Step) error {
	r.report.TookMS = time.Since(r.began).Milliseconds()
	started := StartReport{Left: []StopItem{}}
	r.report.Started = &started
	err := run(ctx, r.deps, StartOptions{Guard: r.o.Guard, Stdin: r.o.Stdin, Stdout: r.o.Stdout, Stderr: r.o.Stderr}, &started)
	if err == nil && !started.OK && ctx.Err() == nil {
		err = &Failure{Exit: started.ExitCode, Code: "dev_exit", Message: fmt.Sprintf("the dev server ended with exit code %d.", started.ExitCode), Next: r.deps.Command("dev:start")}
	}
	s.Result = fmt.Sprintf("ran on port %d", started.Port)
	return err
}
