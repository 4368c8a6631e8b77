package runbook

import (
	"context"
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// shortestTimeout bounds -timeout from below: an app asks less often than that.
const shortestTimeout = time.Second

// TimeoutChange is the plan of db:limits -timeout, and whether it was applied.
type TimeoutChange struct {
	Role       string   `json:"role"`
	Database   string   `json:"database"`
	ValueMS    int64    `json:"value_ms"` // 0: taken back
	Statements []string `json:"statements"`
	Done       bool     `json:"done"` // a new session has them
}

// checkTimeout refuses what nobody can want.
func checkTimeout(rb *Runbook, o LimitsOptions) error {
	bad := func(problem string) error {
		return &Failure{Exit: ExitSettings, Code: "usage", Message: problem + "; nothing was touched.", Next: rb.Command("db:limits -timeout=10m")}
	}
	switch {
	case o.Timeout == nil:
		return nil
	case o.Raise != nil:
		return bad("-raise and -timeout are two changes: one at a time")
	case *o.Timeout != 0 && *o.Timeout < shortestTimeout:
		return bad(fmt.Sprintf("-timeout wants a duration of at least %s, or 0 to take it back, not %s", shortestTimeout, *o.Timeout))
	}
	return nil
}

// setTimeouts plans, shows the plan, applies it, and asks a new session.
func setTimeouts(ctx context.Context, rb *Runbook, a *access, r *LimitsReport, d time.Duration) error {
	if _, err := r.Target.permit(rb, "db:limits", ""); err != nil {
		f := *AsFailure(err)
		f.Next = "set it on the machine that the server runs on"
		return &f
	}
	url := rb.pool.URL()
	names := pgops.RoleTimeouts(a.server)
	plan := &TimeoutChange{Role: url.User, Database: url.Database, ValueMS: d.Milliseconds()}
	for _, name := range names {
		plan.Statements = append(plan.Statements, pgops.RoleTimeoutSQL(url.User, url.Database, name, d))
	}
	r.Timeout, r.OK = plan, false
	plan.show(rb, d)
	if rb.cfg.ReadOnly {
		return refusedReadOnly(rb, "db:limits -timeout")
	}
	if err := pgops.SetRoleTimeouts(ctx, a.conn, plan.Statements); err != nil {
		return unanswered(ctx, rb, err)
	}
	limits, err := pgops.AskLimits(ctx, a.conn, a.server, url.User, url.Database)
	if err != nil {
		return unanswered(ctx, rb, err)
	}
	a.release() // one session is enough
	a.release = func() {}
	fresh, err := freshSession(ctx, rb, url)
	if err != nil {
		return loginFailure(rb, url, err)
	}
	defer fresh.release()
	got, err := pgops.LoginsTimeouts(ctx, fresh.conn, names)
	if err != nil {
		return unanswered(ctx, rb, err)
	}
	for _, name := range names {
		if d > 0 && got[name] != d {
			return &Failure{Exit: ExitNotDone, Code: "not_in_force", Next: rb.Command("db:limits"),
				Message: fmt.Sprintf("%s is written, and a new session has %s all the same: the URL's options set another.", name, plain.Age(got[name]))}
		}
	}
	r.Timeouts, plan.Done, r.OK = limits.Timeouts, true, true
	return nil
}

// show says what will be done and what it may break, before it is done.
func (p *TimeoutChange) show(rb *Runbook, d time.Duration) {
	if d == 0 {
		rb.progress("Taking back the idle timeouts of role %q in database %q:", p.Role, p.Database)
	} else {
		rb.progress("Sessions of role %q in database %q that are idle for %s end by themselves, from their next login on:", p.Role, p.Database, plain.Age(d))
	}
	for _, statement := range p.Statements {
		rb.progress("  %s", statement)
	}
	if d > 0 {
		rb.progress("  a pool without an error listener ends its process when that happens (%s tells); one with it opens a new session", rb.Command("dev:check"))
	}
}
