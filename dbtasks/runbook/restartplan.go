package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// restartOf is how the server is restarted, told from its listener unless
// DBTASKS_RESTART_COMMAND says it, and its postmaster; nil where that can't be
// looked at.
func restartOf(ctx context.Context, deps *Deps, target Target) (*pgserver.Postmaster, pgserver.Restart, error) {
	command := deps.Config.RestartCommand
	if l := target.Listener; command == "" && l != nil && l.Kind == hostops.Forwarder {
		c, err := pgserver.FindContainer(l.Name, target.Port)
		if err != nil {
			return nil, pgserver.Restart{}, fmt.Errorf("%w: %w", pgserver.ErrNoRestart, err)
		}
		return nil, pgserver.PlanContainerRestart(c), nil
	}
	pid := postmasterPID(ctx, target)
	p, err := hostops.Find(pid)
	if pid == 0 || err != nil {
		plan, err := pgserver.PlanRestart(nil, command)
		return nil, plan, err
	}
	pm, hidden := pgserver.Inspect(p.PID, p.Exe, p.Args, p.Dir)
	if hidden == nil {
		plan, err := pgserver.PlanRestart(&pm, command)
		return &pm, plan, err
	}
	plan, err := pgserver.PlanRestart(&pgserver.Postmaster{PID: p.PID}, command) // its cgroup and its parents may do
	var manual *pgserver.ManualRestart
	if err != nil && !errors.As(err, &manual) {
		err = hidden
	}
	return nil, plan, err
}

// postmasterPID is the server's process, 0 where it can't be told. What
// restarts another user's server can be told all the same.
func postmasterPID(ctx context.Context, target Target) int {
	if l := target.Listener; l != nil && l.Kind == hostops.Postgres {
		return l.PID
	}
	if target.hidden {
		if h, err := look(ctx, []pgops.Session{{ClientPort: -1}}); err == nil {
			return parentOfBackends(h, target.Port)
		}
	}
	return 0
}

// noRestart is the failure where nothing is known that restarts the server.
func (r *recovery) noRestart(err error) error {
	f := &Failure{Exit: ExitNotDone, Code: "no_restart", Message: "PostgreSQL can't be restarted from here: " + err.Error(),
		Next: "add the command that restarts it to .env, DBTASKS_RESTART_COMMAND=\"…\", or restart it your way, then: " + r.deps.Command("dev:recover -restart=never"), Err: err}
	var manual *pgserver.ManualRestart
	if errors.As(err, &manual) {
		f.Details = append(f.Details, `to let this tool do it, add to .env: DBTASKS_RESTART_COMMAND="`+strings.ReplaceAll(manual.Command, `"`, `\"`)+`"`)
		f.Next = manual.Command + ", then: " + r.deps.Command("dev:recover -restart=never")
	}
	return f
}

// withLog says where the server's own words are, after a restart that did not
// bring it back.
func withLog(plan pgserver.Restart, f *Failure) *Failure {
	if plan.Log != "" {
		f.Details = append(f.Details, "the server's messages: "+plan.Log)
	}
	return f
}
