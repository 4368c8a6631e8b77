package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/pgops"
)

// MonitorOptions are the flags of db:monitor.
type MonitorOptions struct {
	Every time.Duration // between two samples; more than zero
	For   time.Duration // the whole run; 0: until the context ends
	Once  bool          // one sample
	Warn  int           // sessions of this database at which the run counts as failed; 0: never
}

// MonitorSample is one look at the server. OK false means that there was no
// answer; Error says why. A refusal for want of slots is an answer: full.
type MonitorSample struct {
	OK      bool   `json:"ok"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
	pgops.Sample
	Used    int     `json:"used"`   // slots of the whole server
	Usable  int     `json:"usable"` // 0 while no login was ever answered
	Percent float64 `json:"percent"`
	Refused bool    `json:"refused"`           // the server let nobody in for want of a slot
	DownMS  int64   `json:"down_ms,omitempty"` // how long there has been no answer
	Holders string  `json:"holders,omitempty"` // with Once: who holds the slots, when more than half are taken
}

// MonitorReport is the whole run.
type MonitorReport struct {
	OK       bool  `json:"ok"` // the peak stayed below Warn
	Target   Place `json:"target"`
	Samples  int   `json:"samples"`
	Peak     int   `json:"peak"` // most sessions of this database in a sample
	Warn     int   `json:"warn"`
	Refusals int   `json:"refusals"`
	Lost     int   `json:"lost"`   // samples without an answer
	Logins   int   `json:"logins"` // 1 unless the session was lost
	RanMS    int64 `json:"ran_ms"`
}

// Monitor samples until the run is over and hands every sample to emit. It
// holds one session for the whole run. A server that goes away is a sample
// too, and the next one logs in again; only a first login that fails for
// another reason than missing slots is an error.
func Monitor(ctx context.Context, deps *Deps, o MonitorOptions, emit func(MonitorSample)) (MonitorReport, error) {
	report := MonitorReport{Warn: o.Warn}
	if o.Every <= 0 || o.For < 0 || o.Warn < 0 {
		return report, &Failure{Exit: ExitSettings, Code: "usage", Message: "-every wants a duration above zero, -for and -warn nothing negative; nothing was touched.",
			Next: deps.Command("db:monitor -every=2s -for=1m -warn=10")}
	}
	if err := deps.Connect(); err != nil {
		return report, err
	}
	m := &monitor{deps: deps, report: &report, emit: emit, every: o.Every, once: o.Once}
	report.Target = placeOf(deps.Pool.URL())
	defer m.drop()
	began := time.Now()
	if err := m.sample(ctx); err != nil {
		return report, err
	}
	if !o.Once {
		m.watch(ctx, o.For)
	}
	report.RanMS = time.Since(began).Milliseconds()
	report.OK = (o.Warn == 0 || report.Peak < o.Warn) && report.Refusals == 0 && (!o.Once || report.Lost == 0)
	return report, nil
}

// monitor is the state of one run.
type monitor struct {
	deps   *Deps
	report *MonitorReport
	emit   func(MonitorSample)
	every  time.Duration
	once   bool
	held   *access       // the one session; nil while there is none
	last   MonitorSample // the last with an answer
	lostAt time.Time     // since when there is no answer; zero: there is
}

func (m *monitor) watch(ctx context.Context, length time.Duration) {
	var over <-chan time.Time
	if length > 0 {
		over = time.After(length)
	}
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-tick.C:
			_ = m.sample(ctx) // what went wrong is in the sample
		}
	}
}

// errSessionLost marks the failure of a session that had been logged in.
var errSessionLost = errors.New("the session was lost")

// sample takes and emits one sample. Its error is the first login's, where it
// failed for another reason than missing slots.
func (m *monitor) sample(ctx context.Context) error {
	s, err := m.ask(ctx)
	if ctx.Err() != nil {
		return nil // the run is over; what was cut short is no sample
	}
	cause := pgops.CauseOf(err)
	switch {
	case err == nil:
		m.lostAt = time.Time{}
		s.OK, s.Used, s.Usable = true, s.Slots.Used, s.Slots.Usable()
		s.Percent = percent(s.Used, s.Usable)
		if m.once {
			s.Holders = whenCrowded(ctx, m.deps, m.held.conn, m.report.Target, s.Slots)
		}
		m.last = s
	case cause.NoSlot():
		f := loginFailure(m.deps, m.deps.Pool.URL(), err)
		m.lostAt = time.Time{}
		s = m.last
		s.Sample.Time, s.OK, s.Refused, s.Percent = time.Now(), true, true, 100
		s.Error, s.Message = f.Code, f.Message
		s.Used = max(s.Used, s.Usable)
		m.report.Refusals++
	default:
		if m.report.Samples == 0 {
			return loginFailure(m.deps, m.deps.Pool.URL(), err)
		}
		f := loginFailure(m.deps, m.deps.Pool.URL(), err)
		if errors.Is(err, errSessionLost) {
			f = &Failure{Code: "session_lost", Message: "The server ended the session: " + firstWords(err)}
		}
		if m.lostAt.IsZero() {
			m.lostAt = time.Now()
		}
		s = MonitorSample{Error: f.Code, Message: f.Message, Usable: m.last.Usable}
		s.Sample.Time, s.DownMS = time.Now(), time.Since(m.lostAt).Milliseconds()
		m.report.Lost++
	}
	m.report.Samples++
	m.report.Peak = max(m.report.Peak, s.Sessions)
	m.emit(s)
	return nil
}

// ask counts through the held session, or logs in when there is none. A
// server that hangs is given as long as a login would be.
func (m *monitor) ask(ctx context.Context) (MonitorSample, error) {
	ctx, cancel := context.WithTimeout(ctx, m.deps.Pool.URL().ConnectTimeout)
	defer cancel()
	if m.held == nil {
		c, err := m.deps.Pool.Acquire(ctx)
		if err != nil {
			return MonitorSample{}, err
		}
		m.held = &access{conn: c.Conn(), release: c.Release}
		m.report.Logins++
	}
	sample, err := pgops.TakeSample(ctx, m.held.conn, m.deps.Pool.URL().Database)
	if err != nil {
		m.drop()
		return MonitorSample{}, fmt.Errorf("%w: %w", errSessionLost, err)
	}
	return MonitorSample{Sample: sample}, nil
}

func (m *monitor) drop() {
	if m.held != nil {
		m.held.release()
		m.held = nil
	}
}

func percent(used, usable int) float64 {
	if usable <= 0 {
		return 100
	}
	return float64(used*1000/usable) / 10
}
