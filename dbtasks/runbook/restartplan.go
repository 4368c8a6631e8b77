package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/pgserver"
)

// restartPlan finds out how this server is restarted, from its listener.
func (r *recovery) restartPlan(ctx context.Context) (pgserver.Restart, error) {
	command := r.deps.Config.RestartCommand
	if command != "" {
		return pgserver.PlanRestart(nil, command)
	}
	target, err := locate(ctx, r.deps.Pool.URL())
	if err != nil {
		return pgserver.Restart{}, err
	}
	pid := 0
	switch l := target.Listener; {
	case l != nil && l.Kind == hostops.Forwarder:
		c, err := pgserver.FindContainer(l.Name, target.Port)
		if err != nil {
			return pgserver.Restart{}, fmt.Errorf("%w: %w", pgserver.ErrNoRestart, err)
		}
		return pgserver.PlanContainerRestart(c), nil
	case l != nil && l.Kind == hostops.Postgres:
		pid = l.PID
	case target.hidden:
		// Another user's server: what restarts it can be told all the same.
		if h, err := look(ctx, []pgops.Session{{ClientPort: -1}}); err == nil {
			pid = parentOfBackends(h, target.Port)
		}
	}
	p, err := hostops.Find(pid)
	if pid == 0 || err != nil {
		return pgserver.PlanRestart(nil, "")
	}
	pm, hidden := pgserver.Inspect(p.PID, p.Exe, p.Args, p.Dir)
	if hidden != nil {
		pm = pgserver.Postmaster{PID: p.PID} // its cgroup and its parents may do
	}
	plan, err := pgserver.PlanRestart(&pm, "")
	var manual *pgserver.ManualRestart
	if err != nil && hidden != nil && !errors.As(err, &manual) {
		return plan, hidden
	}
	return plan, err
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
