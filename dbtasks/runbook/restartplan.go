package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// actScene is the server as it can be proven now: by a session where one can
// be had.
func actScene(ctx context.Context, rb *Runbook) (scene, error) {
	a, err := openURL(ctx, rb)
	if err != nil {
		return sceneWithoutSession(ctx, rb)
	}
	defer a.release()
	return a.sceneNow(ctx, rb)
}

// restartOf is how the server is restarted: through whatever runs it, unless
// DBTASKS_RESTART_COMMAND says how.
func restartOf(rb *Runbook, sc scene) (pgserver.Restart, error) {
	subject, unknown := subjectOf(sc)
	plan, err := pgserver.PlanRestart(subject, rb.cfg.RestartCommand)
	if err != nil && pgserver.IsManual(err) == nil && unknown != nil {
		err = fmt.Errorf("%w: %w", pgserver.ErrNoRestart, unknown)
	}
	return plan, err
}

// subjectOf is the server as far as it can be looked at; the error says why it
// can't be seen, or only in part.
func subjectOf(sc scene) (pgserver.Subject, error) {
	if c := sc.srv.Container; c != nil {
		return pgserver.Subject{Container: c}, nil
	}
	if sc.srv.Postmaster.PID == 0 {
		return pgserver.Subject{}, nil
	}
	return pgserver.SubjectOf(sc.srv.Postmaster.PID)
}

// revival is what brings a server back whose container does not run: nothing
// of a paused one is lost, and a stopped one only has to be started.
type revival struct {
	line string // the command, for people
	done string // the step's result
	do   func(context.Context) error
}

// revivalOf is nil where the container runs, the server is in none, or the user
// named a command for this project.
func revivalOf(rb *Runbook, sc scene) *revival {
	c := sc.srv.Container
	switch {
	case c == nil || rb.cfg.RestartCommand != "":
		return nil
	case c.State == engine.Paused:
		return &revival{c.Line("unpause"), "not restarted: the container was paused, and goes on", c.Unpause}
	case c.State == engine.Exited, c.State == engine.Created:
		return &revival{c.Line("start"), "the container was stopped; started, and lets a login in", c.Start}
	}
	return nil
}

// apply runs it and waits for a login.
func (v *revival) apply(ctx context.Context, rb *Runbook, caller string) error {
	rb.progress("%s", v.line)
	if err := v.do(ctx); err != nil {
		return &Failure{Exit: ExitNotDone, Code: "restart_failed", Message: "The container was not brought back: " + err.Error(), Next: v.line, Err: err}
	}
	_, err := askAgain(ctx, rb, caller, restartTimeout)
	return err
}

// noRestart is the failure where this user can't restart the server from here:
// who may, and the command to type, where they are known.
func noRestart(rb *Runbook, err error) *Failure {
	after := rb.Command("dev:recover -restart=never")
	f := &Failure{Exit: ExitNotDone, Code: "no_restart", Message: "PostgreSQL can't be restarted from here: " + strings.TrimPrefix(err.Error(), pgserver.ErrNoRestart.Error()+": "),
		Next: "add the command that restarts it to .env, DBTASKS_RESTART_COMMAND=\"…\", or restart it your way, then: " + after, Err: err}
	if manual := pgserver.IsManual(err); manual != nil {
		f.Next = manualWords(manual) + ", then: " + after
	}
	return f
}

// manualWords is the command with who has to type it.
func manualWords(m *pgserver.ManualRestart) string {
	if m.Who != "" {
		return fmt.Sprintf("ask whoever is %s here to run: %s", m.Who, m.Command)
	}
	return m.Command
}

// restartWords is the plan's line for a restart, or what a person has to type.
func restartWords(plan pgserver.Restart, err error) string {
	if err == nil {
		words := fmt.Sprintf("%s (%s)", plan.Describe(), plan.Evidence)
		for _, note := range plan.Notes {
			words += ". " + note
		}
		return words
	}
	why := strings.TrimPrefix(err.Error(), pgserver.ErrNoRestart.Error()+": ")
	if manual := pgserver.IsManual(err); manual != nil {
		return fmt.Sprintf("not from here (%s); to type: %s", why, manualWords(manual))
	}
	return "no way is known: " + why
}

// restartHelps tells whether a restart may mend what kept us out. A wrong
// password or a wrong host it can't.
func restartHelps(err error) bool {
	code := AsFailure(err).Code
	return pgops.Cause(code).Passing() || code == codePaused || code == codeStopped
}

// stoppingHelps tells whether the end of this project's processes may let
// somebody in: where all slots are taken, and not where the server is down.
func stoppingHelps(err error) bool {
	return pgops.Cause(AsFailure(err).Code).NoSlot() || errors.Is(err, context.Canceled)
}
