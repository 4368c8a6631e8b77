package runbook

import (
	"context"
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// mostConnections is the bound of -raise. Each snapshot of each statement goes
// over all sessions, and above some hundreds a pooler is what is wanted;
// PostgreSQL itself would take 262,143.
const mostConnections = 10000

// Raise is the plan of db:limits -raise, and whether it was applied.
type Raise struct {
	Old     int              `json:"old"`
	New     int              `json:"new"`
	Bytes   int64            `json:"bytes"`   // of memory, when all the added connections are there
	Login   Route            `json:"login"`   // whose session writes it
	Restart string           `json:"restart"` // the command
	Ends    []SessionsOfRole `json:"ends"`    // by the restart: sessions of every database
	Done    bool             `json:"done"`

	restart pgserver.Restart
	started time.Time          // of the server, before
	auto    *pgserver.AutoConf // postgresql.auto.conf as it was; nil: not ours to write
	inAuto  bool               // Old is an earlier ALTER SYSTEM's, as far as the login may see that
}

// checkRaise refuses what no server could want.
func checkRaise(rb *Runbook, o LimitsOptions) error {
	if o.Raise != nil && (*o.Raise <= 0 || *o.Raise > mostConnections) {
		return badRaise(rb, fmt.Sprintf("-raise wants a number of connections from 1 to %d, not %d", mostConnections, *o.Raise), 0)
	}
	return nil
}

func badRaise(rb *Runbook, problem string, instead int) *Failure {
	f := &Failure{Exit: ExitSettings, Code: "usage", Message: problem + "; nothing was touched.", Next: rb.Command("db:limits")}
	if instead > 0 {
		f.Next = rb.Command(fmt.Sprintf("db:limits -raise=%d", instead))
	}
	return f
}

// raiseIsLocal refuses a server that is not proven to be this machine's. Before
// a login (a nil) only what a login can't prove any more is refused.
func raiseIsLocal(ctx context.Context, rb *Runbook, a *access) error {
	if err := rb.connectLimited(); err != nil {
		return err
	}
	sc, err := a.sceneNow(ctx, rb)
	if err != nil {
		return err
	}
	if a == nil && sc.mayStillBeLocal() {
		return nil
	}
	target := targetOf(rb.pool.URL(), sc.srv)
	if _, err := target.permit(rb, "db:limits", ""); err != nil {
		f := *AsFailure(err)
		f.Next = "raise it on the machine that the server runs on"
		return &f
	}
	return nil
}

// raise plans, shows the plan, and applies it. It takes over a's session and
// leaves one in its place or none.
func raise(ctx context.Context, rb *Runbook, a *access, limits pgops.Limits, r *LimitsReport, n int) error {
	if err := rb.cfg.CheckCommand(settings.RestartCommand); err != nil {
		return err
	}
	if err := raiseIsLocal(ctx, rb, a); err != nil {
		return err
	}
	sc, err := a.sceneNow(ctx, rb)
	if err != nil {
		return err
	}
	if err := raiseMakesSense(rb, sc, a.server, limits, r.Memory, n); err != nil {
		return err
	}
	writer, limits, err := raiseLogin(ctx, rb, a, limits)
	if err != nil {
		return err
	}
	if writer != a {
		defer func() { writer.release() }()
	}
	// Of two at once the second would undo what the first has done.
	switch mine, err := pgops.LockRaise(ctx, writer.conn); {
	case err != nil:
		return err
	case !mine:
		return &Failure{Exit: ExitRefused, Code: "busy", Message: "Refused: another run of dbtasks is raising max_connections of this server. Nothing was touched.", Next: rb.Command("db:limits")}
	}
	plan, err := planRaise(ctx, rb, writer, r, n)
	if err != nil {
		return err
	}
	plan.inAuto = limits.MaxInAuto
	r.Raise, r.OK = plan, false
	plan.show(rb)
	if rb.cfg.ReadOnly {
		return refusedReadOnly(rb, "db:limits -raise")
	}
	return applyRaise(ctx, rb, a, writer, r)
}

func raiseMakesSense(rb *Runbook, sc scene, s pgops.Server, limits pgops.Limits, m Memory, n int) error {
	least := s.Slots.SuperuserReserved + s.Slots.Reserved + 1
	total, whose := memoryFor(sc)
	switch {
	case s.InRecovery:
		return &Failure{Exit: ExitRefused, Code: "standby", Message: "Refused: the server is a standby, whose max_connections follows its primary's. Nothing was touched.", Next: "raise it on the primary"}
	case limits.MaxSource == "command line" || limits.MaxSource == "override":
		return &Failure{Exit: ExitRefused, Code: "command_line",
			Message: "Refused: max_connections stands on the server's command line (-c, -N), which wins over ALTER SYSTEM. Nothing was touched.",
			Next:    commandLineNext(rb, sc, n)}
	case n < least:
		return badRaise(rb, fmt.Sprintf("-raise=%d leaves no slot to ordinary roles: %d are reserved", n, least-1), 0)
	case n <= s.Slots.Used:
		return badRaise(rb, fmt.Sprintf("-raise=%d is not above the %d sessions in use", n, s.Slots.Used), 0)
	case n <= s.Slots.Max:
		return badRaise(rb, fmt.Sprintf("-raise=%d is not above max_connections, which is %d", n, s.Slots.Max), 0)
	case total > 0 && int64(n)*m.Bytes > total/2: // the other half: work_mem, the page cache, the apps
		fits := int(total / 2 / m.Bytes)
		return badRaise(rb, fmt.Sprintf("-raise=%d may take %s, more than half of %s memory (%s): %d connections fit", n, megabytes(int64(n)*m.Bytes), whose, megabytes(total), fits), 0)
	}
	return nil
}

// memoryFor is the memory that the server may take, and whose it is: this
// machine's, or less where its container or its unit has a limit. 0: not known.
func memoryFor(sc scene) (bytes int64, whose string) {
	total := hostops.TotalMemory()
	subject, _ := subjectOf(sc)
	if limit := subject.MemoryLimit(); limit > 0 && (total == 0 || limit < total) {
		if subject.Container != nil {
			return limit, "its container's"
		}
		return limit, "its control group's"
	}
	return total, "this machine's"
}

// commandLineNext names the file where the value has to be changed, as far as
// it is known who starts the server.
func commandLineNext(rb *Runbook, sc scene, n int) string {
	where := "where the server is started (compose.yaml, the unit file)"
	restart := "restart the server"
	if plan, err := restartOf(rb, sc); err == nil {
		restart = plan.Typed
		if file := plan.StartedFrom(); file != "" {
			where = "in " + file
		}
	}
	return fmt.Sprintf("write max_connections=%d %s, then: %s", n, where, restart)
}

// raiseLogin is a session that may ALTER SYSTEM, with what it sees:
// DBTASKS_ADMIN_URL's where that is set, else the one that is there, else the
// local superuser's.
func raiseLogin(ctx context.Context, rb *Runbook, a *access, limits pgops.Limits) (*access, pgops.Limits, error) {
	admin, err := rb.cfg.Admin()
	if err != nil {
		return nil, limits, err
	}
	if limits.MayRaise && (admin == nil || a.route == RouteAdminURL) {
		return a, limits, nil
	}
	sc, err := a.sceneNow(ctx, rb)
	if err != nil {
		return nil, limits, err
	}
	target := placeOf(rb.pool.URL())
	doors := reservedOf(ctx, rb, sc)
	if writer := doors.enter(ctx, ""); writer != nil {
		may, err := pgops.AskLimits(ctx, writer.conn, writer.server, target.Role, target.Database)
		if err == nil && may.MayRaise {
			return writer, may, nil
		}
		doors.tried = append(doors.tried, fmt.Sprintf("role %q may not ALTER SYSTEM either", writer.server.Role))
		writer.release()
	}
	return nil, limits, &Failure{Exit: ExitNotDone, Code: "not_permitted", Details: doors.tried,
		Message: fmt.Sprintf("Role %q may not set max_connections (ALTER SYSTEM wants a superuser). Nothing was touched.", a.server.Role),
		Next:    "set DBTASKS_ADMIN_URL in .env to a superuser's URL"}
}

func planRaise(ctx context.Context, rb *Runbook, writer *access, r *LimitsReport, n int) (*Raise, error) {
	old := r.Slots.Max
	plan := &Raise{Old: old, New: n, Bytes: int64(n-old) * r.Memory.Bytes, Login: writer.route, Ends: []SessionsOfRole{}}
	sc, err := writer.sceneNow(ctx, rb)
	if err != nil {
		return nil, err
	}
	restart, err := restartOf(rb, sc)
	if err != nil {
		f := noRestart(rb, err)
		f.Message += " Nothing was touched."
		return nil, f
	}
	if err := restart.Check(); err != nil {
		return nil, notReady(rb, fmt.Sprintf("db:limits -raise=%d", n), err)
	}
	plan.restart, plan.Restart, plan.started = restart, restart.Describe(), writer.server.Started
	if plan.auto, err = pgserver.ReadAutoConf(restart.Subject, writer.server.DataDirectory); err != nil {
		plan.auto = nil
		rb.progress("its undo would be by hand: %s", err)
	}
	sessions, err := pgops.Sessions(ctx, writer.conn, "")
	if err != nil {
		return nil, err
	}
	plan.Ends = sc.restartEnds(ctx, sessions)
	return plan, nil
}

// show says what will be done, before it is.
func (p *Raise) show(rb *Runbook) {
	rb.progress("Raising max_connections from %d to %d: up to %s more memory when all are in use", p.Old, p.New, megabytes(p.Bytes))
	rb.progress("  1. ALTER SYSTEM SET max_connections = %d, %s", p.New, p.Login.Words())
	rb.progress("  2. restart: %s", p.Restart)
	rb.progress("  3. ask the server again; undo it when it does not come back")
	if len(p.Ends) == 0 {
		rb.progress("  the restart ends no session of anybody's")
	}
	for _, s := range p.Ends {
		rb.progress("  the restart ends: %s", s)
	}
}
