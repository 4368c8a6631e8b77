package runbook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// Watch looks at a server again and again over one session, which it holds
// until Close. A server that goes away is a look too, and the next one logs in
// again. Its methods may be called from several goroutines; they take turns.
type Watch struct {
	rb      *Runbook
	sources bool // say who holds the slots at every look

	mu      sync.Mutex // guards all below
	held    *access    // the one session; nil while there is none
	last    MonitorSample
	lostAt  time.Time // since when there is no answer; zero: there is
	history History
	report  MonitorReport
	holders holders
	pooler  poolerWatch

	triedReserved time.Time
}

// WatchOptions choose what a Watch looks at.
type WatchOptions struct {
	Sources bool // who holds the slots, by local process
	Warn    int  // sessions of the database that count as too many; 0: none
}

// Look is one look: the sample and, where asked for, who holds the slots of
// the whole server.
type Look struct {
	MonitorSample
	Sources  []Source     // most sessions first
	Sessions []WhoSession // by source, oldest first
}

// NewWatch checks the settings and connects to nothing.
func (rb *Runbook) NewWatch(o WatchOptions) (*Watch, error) {
	if err := rb.connectLimited(); err != nil {
		return nil, err
	}
	place := placeOf(rb.pool.URL())
	return &Watch{rb: rb, sources: o.Sources, report: MonitorReport{Warn: o.Warn, Target: place}, history: History{Place: place, Warn: o.Warn}}, nil
}

// errSessionLost marks the failure of a session that had been logged in.
var errSessionLost = errors.New("the session was lost")

// Look takes one look. What goes wrong is in the look itself; an error is the
// very first login's, where it failed for another reason than missing slots,
// or the context's.
func (w *Watch) Look(ctx context.Context) (Look, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, err := w.ask(ctx)
	if ctx.Err() != nil {
		return l, ctx.Err() // what was cut short is no look
	}
	switch cause := pgops.CauseOf(err); {
	case err == nil:
		w.lostAt = time.Time{}
		l.OK, l.Used, l.Usable = true, l.Slots.Used, l.Slots.Usable()
		l.Percent = percent(l.Used, l.Usable)
		w.last = l.MonitorSample
	case cause.NoSlot():
		l = w.refused(ctx, err)
	case w.report.Samples == 0:
		return l, w.rb.loginFailed(ctx, w.rb.pool.URL(), err)
	default:
		l = Look{MonitorSample: w.lost(err)}
		l.Bouncer = w.lookAtPooler(ctx)
	}
	w.report.Samples++
	w.report.Peak = max(w.report.Peak, l.MonitorSample.Sessions)
	w.history.add(l.MonitorSample)
	if perMinute, fullIn, known := w.history.Trend(); known {
		l.PerMinute, l.FullInMS = &perMinute, fullIn.Milliseconds()
	}
	return l, nil
}

// refused is the look at a server without a free slot: all are used, and who
// holds them is told from outside.
func (w *Watch) refused(ctx context.Context, err error) Look {
	f := w.rb.loginFailed(ctx, w.rb.pool.URL(), err)
	w.lostAt = time.Time{}
	l := Look{MonitorSample: w.last}
	l.Time, l.OK, l.Refused, l.Percent = time.Now(), true, true, 100
	l.Error, l.Message = f.Code, f.Message
	l.Used = max(l.Used, l.Usable)
	l.Bouncer = w.lookAtPooler(ctx)
	if w.sources {
		if who, err := whoWithoutSession(ctx, w.rb, f); err == nil {
			l.Sources, l.Sessions = who.Sources, who.Sessions
		}
	}
	w.report.Refusals++
	return l
}

func (w *Watch) lost(err error) MonitorSample {
	f := loginFailure(w.rb, w.rb.pool.URL(), err)
	if errors.Is(err, errSessionLost) {
		f = &Failure{Code: "session_lost", Message: "The server ended the session: " + firstWords(err)}
	}
	if w.lostAt.IsZero() {
		w.lostAt = time.Now()
	}
	s := MonitorSample{Error: f.Code, Message: f.Message, Usable: w.last.Usable}
	s.Time, s.DownMS = time.Now(), time.Since(w.lostAt).Milliseconds()
	w.report.Lost++
	return s
}

// ask counts through the held session, or logs in when there is none. A
// server that hangs is given as long as a login would be.
func (w *Watch) ask(ctx context.Context) (Look, error) {
	ctx, cancel := context.WithTimeout(ctx, w.rb.pool.URL().ConnectTimeout)
	defer cancel()
	if w.held == nil {
		if err := w.login(ctx); err != nil {
			return Look{}, err
		}
	}
	l, err := w.count(ctx)
	if err != nil {
		w.drop()
		return Look{}, fmt.Errorf("%w: %w", errSessionLost, err)
	}
	return l, nil
}

// login takes a session of the pool. To say who holds the slots when all are
// taken it takes a reserved one instead, where it may.
func (w *Watch) login(ctx context.Context) error {
	a, err := openURL(ctx, w.rb)
	cause := pgops.CauseOf(err)
	full := cause == pgops.CauseReservedOnly || cause == pgops.CauseSlotsFull
	if w.sources && full && time.Since(w.triedReserved) > reservedPause {
		w.triedReserved = time.Now()
		if sc, looked := sceneWithoutSession(ctx, w.rb); looked == nil {
			if entered := reservedOf(ctx, w.rb, sc).enter(ctx, cause); entered != nil {
				a, err = entered, nil
				w.history.mark(time.Now(), "full: logins refused")
			}
		}
	}
	if err != nil {
		return err
	}
	w.held = a
	w.report.Logins++
	return nil
}

// reservedPause is how often a reserved slot is asked for while nobody gets in.
const reservedPause = 10 * time.Second

func (w *Watch) count(ctx context.Context) (Look, error) {
	database := w.rb.pool.URL().Database
	if !w.sources {
		sample, err := pgops.TakeSample(ctx, w.held.conn, database)
		return Look{MonitorSample: MonitorSample{Sample: sample, Bouncer: w.lookAtPooler(ctx)}}, err
	}
	sessions, err := pgops.Sessions(ctx, w.held.conn, "")
	if err != nil {
		return Look{}, err
	}
	l := Look{MonitorSample: MonitorSample{Sample: pgops.SampleOf(sessions, database, w.held.server.Slots), Bouncer: w.lookAtPooler(ctx)}}
	l.Sources, l.Sessions = w.holders.of(ctx, w.rb, w.held, l.Bouncer, sessions)
	return l, nil
}

// Cleanup is db:cleanup over the held session, by the same rules; where there
// is none it gets in as db:cleanup does.
func (w *Watch) Cleanup(ctx context.Context, o CleanupOptions) (CleanupReport, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var r CleanupReport
	var err error
	if w.held == nil {
		r, err = w.rb.Cleanup(ctx, o)
	} else {
		o.Caller = "db:cleanup"
		if w.rb.cfg.ReadOnly && !o.Dry {
			return CleanupReport{}, refusedReadOnly(w.rb, "the screen")
		}
		if r, err = cleanup(ctx, w.rb, w.held, o, machine.Begin(ctx)); w.held.conn.IsClosed() {
			w.drop()
		}
	}
	if r.Ended+r.Freed > 0 {
		w.history.mark(time.Now(), fmt.Sprintf("%d ended", r.Ended+r.Freed))
	}
	return r, err
}

// crowd is db:who's headline over the held session when more than half of the
// slots are taken; empty otherwise, and where there is no session.
func (w *Watch) crowd(ctx context.Context, s MonitorSample) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil || s.Refused {
		return ""
	}
	return w.held.whenCrowded(ctx, w.rb, s.Slots)
}

// Place is what is watched.
func (w *Watch) Place() Place { return placeOf(w.rb.pool.URL()) }

// History is a copy of what was seen within the last window; 0: of all.
func (w *Watch) History(window time.Duration) History {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.history.last(window)
}

// Version is the server's as the last login told it; empty before the first.
func (w *Watch) Version() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		return ""
	}
	return w.held.server.Version
}

// Report sums up what was seen so far.
func (w *Watch) Report() MonitorReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.report
	r.History = w.history.last(0)
	r.OK = (r.Warn == 0 || r.Peak < r.Warn) && r.Refusals == 0
	return r
}

// Close gives the session back to the pool.
func (w *Watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop()
	w.pooler.close()
}

func (w *Watch) drop() {
	if w.held != nil {
		w.held.release()
		w.held = nil
	}
}

func percent(used, usable int) float64 {
	if usable <= 0 {
		return 100
	}
	return float64(used*1000/usable) / 10
}
