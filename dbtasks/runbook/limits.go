package runbook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// LimitsOptions are the flags of db:limits.
type LimitsOptions struct {
	Raise   *int           // set max_connections to this; nil: only look
	Timeout *time.Duration // set the idle timeouts of the URL's role in its database; 0: take them back; nil: only look
}

// LimitsReport is how many sessions the server gives, who could want how many,
// and what would help, best first.
type LimitsReport struct {
	OK             bool           `json:"ok"`
	Target         Target         `json:"target"`
	Route          Route          `json:"route"`
	Version        string         `json:"version"`
	Slots          Slots          `json:"slots"`
	Usable         int            `json:"usable"`
	Free           int            `json:"free"`
	RoleLimits     []NamedLimit   `json:"role_limits"`     // ours first, then others that are set
	DatabaseLimits []NamedLimit   `json:"database_limits"` // the same
	Timeouts       []Timeout      `json:"timeouts"`        // as they apply to our role in our database
	PoolLimit      int            `json:"pool_limit"`      // of DATABASE_URL
	Sources        []Source       `json:"sources"`
	Processes      int            `json:"processes"` // local ones that hold sessions of our role in our database
	Wanted         int            `json:"wanted"`    // Processes times PoolLimit
	Available      int            `json:"available"` // to those processes: what others hold is gone
	Memory         Memory         `json:"memory"`
	Advice         []Advice       `json:"advice"`
	Raise          *Raise         `json:"raise,omitempty"`
	Timeout        *TimeoutChange `json:"timeout,omitempty"`
	Refusal        string         `json:"refusal,omitempty"` // why there was no session to ask with; then the limits are not known
	Next           string         `json:"next,omitempty"`
}

// Memory is what a connection costs.
type Memory struct {
	Bytes    int64 `json:"bytes"`    // of one backend alone
	Measured int   `json:"measured"` // backends of this server that it is the median of; 0: a figure of others
}

// assumedMemory is a connection's cost where it can't be measured: "up to 10 MB
// of physical memory" for a new one (PGConf.DE 2025, session 6297); an idle one
// is under 2 MiB (A. Freund, "Measuring the Memory Overhead of a Postgres
// Connection", 2020). Here, an idle one of PostgreSQL 15 had 0.5 to 1.3 MB.
const assumedMemory = 10 << 20

// Limits looks, through the reserved slots where no other is left; with Raise
// it then sets max_connections, restarts the server, and undoes that when the
// server does not come back. A *Failure of exit 2 or 3 has touched nothing.
func (rb *Runbook) Limits(ctx context.Context, o LimitsOptions) (LimitsReport, error) {
	if err := checkRaise(rb, o); err != nil {
		return LimitsReport{}, err
	}
	if err := checkTimeout(rb, o); err != nil {
		return LimitsReport{}, err
	}
	if o.Raise != nil {
		if err := raiseIsLocal(ctx, rb, nil); err != nil {
			return LimitsReport{}, err
		}
	}
	a, err := open(ctx, rb, openOptions{caller: "db:limits"})
	if f := AsFailure(err); f != nil && pgops.Cause(f.Code).NoSlot() && o.Raise == nil && o.Timeout == nil {
		return limitsWithoutSession(ctx, rb, f)
	}
	if err != nil {
		return LimitsReport{}, err
	}
	defer func() { a.release() }()
	r, limits, err := askLimits(ctx, rb, a)
	if err == nil && o.Timeout != nil {
		err = setTimeouts(ctx, rb, a, &r, *o.Timeout) // before the return: Go does not say that r is read after the call
		return r, err
	}
	if err != nil || o.Raise == nil {
		return r, err
	}
	err = raise(ctx, rb, a, limits, &r, *o.Raise)
	return r, err
}

func askLimits(ctx context.Context, rb *Runbook, a *access) (LimitsReport, pgops.Limits, error) {
	url, err := rb.cfg.Database()
	if err != nil {
		return LimitsReport{}, pgops.Limits{}, err
	}
	role, database := rb.pool.URL().User, rb.pool.URL().Database
	ctx, cancel := context.WithTimeout(ctx, pgops.QuestionTimeout)
	defer cancel()
	limits, err := pgops.AskLimits(ctx, a.conn, a.server, role, database)
	if err != nil {
		return LimitsReport{}, limits, unanswered(ctx, rb, err)
	}
	sessions, err := pgops.Sessions(ctx, a.conn, "")
	if err != nil {
		return LimitsReport{}, limits, unanswered(ctx, rb, err)
	}
	m, err := machine.Look(ctx)
	if err != nil {
		return LimitsReport{}, limits, err
	}
	sc := a.scene(ctx, rb, m)
	who := WhoReport{Target: targetOf(rb.pool.URL(), sc.srv)}
	who.fill(ctx, sc, sessions)
	slots := a.server.Slots
	r := LimitsReport{OK: true, Target: who.Target, Route: a.route, Version: a.server.Version, Slots: slots, Usable: slots.Usable(), Free: slots.Free(),
		RoleLimits: limits.Roles, DatabaseLimits: limits.Databases, Timeouts: limits.Timeouts, PoolLimit: url.Limit, Sources: who.Sources}
	r.want(role, database)
	r.Memory = backendMemory(sc, append(sessions, pgops.Session{PID: a.server.BackendPID}))
	r.Advice = advise(rb, url, a.server, r, role, database)
	return r, limits, nil
}

// want counts what the processes of our role in our database may take, and
// what is there for them.
func (r *LimitsReport) want(role, database string) {
	others := 0
	for _, s := range r.Sources {
		if s.PID != 0 && slices.Contains(s.Roles, role) && slices.Contains(s.Databases, database) {
			r.Processes++
		} else {
			others += s.Count
		}
	}
	r.Wanted = r.Processes * r.PoolLimit
	r.Available = max(0, r.Usable-others)
	for _, l := range append(ours(r.RoleLimits, role), ours(r.DatabaseLimits, database)...) {
		if l.Limit >= 0 {
			r.Available = min(r.Available, l.Limit)
		}
	}
}

func ours(list []pgops.NamedLimit, name string) []pgops.NamedLimit {
	return slices.DeleteFunc(slices.Clone(list), func(l pgops.NamedLimit) bool { return l.Name != name })
}

// backendMemory is the median over the backends of this machine that may be
// looked at: root's and the server's account's privilege.
func backendMemory(sc scene, sessions []pgops.Session) Memory {
	var list []int64
	for _, s := range sessions {
		if !sc.srv.Local || sc.srv.Container != nil || !sc.IsBackend(s.PID) {
			continue
		}
		if n, ok := hostops.PrivateMemory(s.PID); ok {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return Memory{Bytes: assumedMemory}
	}
	slices.Sort(list)
	return Memory{Bytes: list[len(list)/2], Measured: len(list)}
}

// limitsWithoutSession tells what can be told when nobody is let in.
func limitsWithoutSession(ctx context.Context, rb *Runbook, refusal *Failure) (LimitsReport, error) {
	url, err := rb.cfg.Database()
	if err != nil {
		return LimitsReport{}, err
	}
	who, err := whoWithoutSession(ctx, rb, refusal)
	if err != nil {
		return LimitsReport{}, err
	}
	r := LimitsReport{Target: who.Target, Route: RouteOutside, PoolLimit: url.Limit, Sources: who.Sources, Refusal: refusal.Message, Next: rb.Command("db:cleanup"),
		RoleLimits: []pgops.NamedLimit{}, DatabaseLimits: []pgops.NamedLimit{}, Timeouts: []pgops.Timeout{}, Advice: []Advice{}, Memory: Memory{Bytes: assumedMemory}}
	r.want(who.Target.Role, who.Target.Database)
	r.Available = 0
	return r, nil
}

// Headline is the outcome for people.
func (r LimitsReport) Headline() string {
	if r.Refusal != "" {
		return "No slot is left to ask with: the server's limits can't be told"
	}
	line := slotsInUse(r.Slots) + " in use"
	switch {
	case r.Processes == 0:
		return line + fmt.Sprintf("; no process of this machine holds a session of role %q", r.Target.Role)
	case r.Processes == 1:
		line += fmt.Sprintf("; 1 process with a limit of %d wants %d", r.PoolLimit, r.Wanted)
	default:
		line += fmt.Sprintf("; %d processes with a limit of %d each want %d", r.Processes, r.PoolLimit, r.Wanted)
	}
	if short := r.Wanted - r.Available; short > 0 {
		return line + fmt.Sprintf(": %d more than there are", short)
	}
	return line + fmt.Sprintf(", and %d are there for them", r.Available)
}
