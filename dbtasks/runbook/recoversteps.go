package runbook

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/server"
)

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
		if err != nil && ctx.Err() != nil && AsFailure(err).Code == "failed" {
			err = &Failure{Exit: ExitNotDone, Code: "interrupted", Message: "interrupted.", Err: err}
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
	message := f.Message
	if i > 0 && r.report.Stop != nil && r.report.Stop.Gone > 0 { // true of the step, and not of the whole run
		message = strings.NewReplacer(" Nothing was touched.", "", "; nothing was touched", "").Replace(message)
	}
	out.Message = fmt.Sprintf("Recovery stopped at %q: %s", r.report.Steps[i].Name, message)
	out.Details = append([]string{"done:" + done, "not done:" + not}, f.Details...)
	if out.Exit == ExitRefused && i > 0 {
		out.Exit = ExitNotDone // something was touched
	}
	if out.Next == "" {
		out.Next = r.rb.Command("dev:recover")
	}
	return &out
}

func (r *recovery) stop(ctx context.Context, s *Step) error {
	stopped, err := r.rb.Stop(ctx, StopOptions{})
	if err != nil {
		return err
	}
	r.report.Stop = &stopped
	s.Result = fmt.Sprintf("%d processes gone", stopped.Gone)
	return stopped.failure(r.rb)
}

// restart gets in, or restarts the server so that somebody can.
func (r *recovery) restart(ctx context.Context, s *Step) error {
	if r.o.Restart == RestartAuto {
		a, err := open(ctx, r.rb, openOptions{caller: "dev:recover", remote: r.o.Remote, harm: true, signal: true, force: true})
		if err == nil {
			r.entry = a
			s.Status, s.Result = StepSkipped, "not needed: got in "+a.route.Words()
			return nil
		}
		if !restartHelps(err) {
			return err
		}
		r.rb.progress("nobody is let in: %s", err)
	}
	sc, err := actScene(ctx, r.rb) // anew: this is the moment of the act
	if err != nil {
		return err
	}
	if sc.srv.Kind == server.Elsewhere {
		return &Failure{Exit: ExitRefused, Code: "refused_remote", Message: fmt.Sprintf("%s is not this machine: its server is not restarted from here.", r.report.Target.At()),
			Next: "restart it there, then: " + r.rb.Command("dev:recover -restart=never -remote="+plain.Word(r.report.Target.Database))}
	}
	if v := revivalOf(r.rb, sc); v != nil {
		if err := r.restartPermitted(targetOf(r.rb.pool.URL(), sc.srv)); err != nil {
			return err
		}
		s.Result = v.done
		return v.apply(ctx, r.rb, "dev:recover")
	}
	plan, err := restartOf(r.rb, sc)
	if err != nil {
		return noRestart(r.rb, err)
	}
	if err := r.restartPermitted(targetOf(r.rb.pool.URL(), sc.srv)); err != nil {
		f := *AsFailure(err)
		f.Next = "if it is yours to restart: " + plan.Typed // another user's: what tells that it is local is hidden
		return &f
	}
	if s.Ends = sc.restartEnds(ctx, sc.sessionsToEnd(ctx, r.rb, nil)); r.o.Restart == RestartAuto {
		if f := othersAtWork(r.rb, s.Ends); f != nil {
			return f
		}
	}
	if _, err := restartServer(ctx, r.rb, "dev:recover", plan, r.serverStarted); err != nil {
		return err
	}
	s.Result = "restarted, and lets a login in"
	return nil
}

// restartPermitted: a restart ends every session of every database of the
// server, so it must be this machine's own, -remote or not.
func (r *recovery) restartPermitted(target Target) error {
	if r.rb.cfg.RestartCommand != "" {
		return nil // the user named the command for this project
	}
	_, err := target.permit(r.rb, "dev:recover", "")
	return err
}

func (r *recovery) cleanup(ctx context.Context, s *Step) error {
	o := CleanupOptions{Force: true, Remote: r.o.Remote, Caller: "dev:recover"}
	a := r.entry
	if a == nil {
		var err error
		if a, err = open(ctx, r.rb, openOptions{caller: "dev:recover", remote: r.o.Remote, harm: true, signal: true, force: true}); err != nil {
			return err
		}
		r.entry = a
	}
	clean, err := cleanup(ctx, r.rb, a, o, machine.Begin(ctx))
	r.close()
	if err != nil {
		return err
	}
	r.report.Cleanup = &clean
	s.Result = fmt.Sprintf("%d of %d sessions ended, %d came back, %d of %d usable slots free", clean.Ended, len(clean.Plan), len(clean.CameBack), clean.Free, clean.Usable)
	if !clean.OK && len(clean.LeftOver) > 0 {
		return &Failure{Exit: ExitNotDone, Code: "left_over", Message: fmt.Sprintf("%d sessions did not end within 5 s (frozen, or ending a long transaction).", len(clean.LeftOver)),
			Next: r.rb.Command("dev:recover -restart=always")}
	}
	return nil
}

func (r *recovery) test(ctx context.Context, s *Step) error {
	t, err := r.rb.Test(ctx, TestOptions{})
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
	err := run(ctx, r.rb, StartOptions{Guard: r.o.Guard, answers: r.o.Answers, Stdin: r.o.Stdin, Stdout: r.o.Stdout, Stderr: r.o.Stderr}, &started)
	if err == nil && !started.OK && ctx.Err() == nil {
		err = &Failure{Exit: started.ExitCode, Code: "dev_exit", Message: fmt.Sprintf("the dev server ended with exit code %d.", started.ExitCode), Next: r.rb.Command("dev:start")}
	}
	s.Result = fmt.Sprintf("ran on port %d", started.Port)
	return err
}
