package runbook

import (
	"context"
	"time"
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
	Sample
	Used    int     `json:"used"`   // slots of the whole server
	Usable  int     `json:"usable"` // 0 while no login was ever answered
	Percent float64 `json:"percent"`
	Refused bool    `json:"refused"`           // the server let nobody in for want of a slot
	DownMS  int64   `json:"down_ms,omitempty"` // how long there has been no answer
	// PerMinute is the change of Used a minute over the last minute, and
	// FullInMS when the server is full at that rate (0: not in sight). Both are
	// missing before there are samples enough to tell.
	PerMinute *float64 `json:"per_minute,omitempty"`
	FullInMS  int64    `json:"full_in_ms,omitempty"`
	Holders   string   `json:"holders,omitempty"` // with Once: who holds the slots, when more than half are taken
	Bouncer   *Bouncer `json:"pgbouncer,omitempty"`
}

// MonitorReport is the whole run.
type MonitorReport struct {
	OK       bool    `json:"ok"` // the peak stayed below Warn
	Target   Place   `json:"target"`
	Samples  int     `json:"samples"`
	Peak     int     `json:"peak"` // most sessions of this database in a sample
	Warn     int     `json:"warn"`
	Refusals int     `json:"refusals"`
	Lost     int     `json:"lost"`   // samples without an answer
	Logins   int     `json:"logins"` // 1 unless the session was lost
	RanMS    int64   `json:"ran_ms"`
	History  History `json:"-"` // what was seen, also when the run was cut short
}

// Monitor looks until the run is over and hands every sample to emit, which may be nil. It
// holds one session for the whole run. A server that goes away is a sample
// too, and the next one logs in again; only a first login that fails for
// another reason than missing slots is an error.
func (rb *Runbook) Monitor(ctx context.Context, o MonitorOptions, emit func(MonitorSample)) (MonitorReport, error) {
	emit = told(emit)
	return monitored(ctx, rb, o, WatchOptions{Warn: o.Warn}, func(ctx context.Context, w *Watch) error {
		l, err := w.Look(ctx)
		if err != nil {
			return err
		}
		if o.Once {
			l.Holders = w.crowd(ctx, l.MonitorSample)
		}
		emit(l.MonitorSample)
		if !o.Once {
			w.every(ctx, o, emit)
		}
		return nil
	})
}

// MonitorWith is Monitor for a screen that looks and acts by itself. The Watch
// is closed when show returns.
func (rb *Runbook) MonitorWith(ctx context.Context, o MonitorOptions, show func(context.Context, *Watch) error) (MonitorReport, error) {
	quiet := &Runbook{cfg: rb.cfg, pool: rb.pool, name: rb.name, alias: rb.alias} // lines of progress would run into the screen
	r, err := monitored(ctx, quiet, o, WatchOptions{Warn: o.Warn, Sources: true}, show)
	rb.pool = quiet.pool
	return r, err
}

func monitored(ctx context.Context, rb *Runbook, o MonitorOptions, wo WatchOptions, show func(context.Context, *Watch) error) (MonitorReport, error) {
	if err := o.check(rb); err != nil {
		return MonitorReport{Warn: o.Warn}, err
	}
	w, err := rb.NewWatch(wo)
	if err != nil {
		return MonitorReport{Warn: o.Warn}, err
	}
	defer w.Close()
	began := time.Now()
	err = show(ctx, w)
	if ctx.Err() != nil {
		err = nil // the run is over
	}
	r := w.Report()
	r.RanMS = time.Since(began).Milliseconds()
	return r, err
}

// check refuses what no monitor can do.
func (o MonitorOptions) check(rb *Runbook) error {
	if o.Every > 0 && o.For >= 0 && o.Warn >= 0 {
		return nil
	}
	return &Failure{Exit: ExitSettings, Code: "usage", Message: "-every wants a duration above zero, -for and -warn nothing negative; nothing was touched.",
		Next: rb.Command("db:monitor -every=2s -for=1m -warn=10")}
}

func (w *Watch) every(ctx context.Context, o MonitorOptions, emit func(MonitorSample)) {
	var over <-chan time.Time
	if o.For > 0 {
		over = time.After(o.For)
	}
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-tick.C:
			l, err := w.Look(ctx)
			if err != nil {
				return // the run is over
			}
			emit(l.MonitorSample)
		}
	}
}
