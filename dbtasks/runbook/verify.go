package runbook

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// VerifyOptions are the flags of dev:verify.
type VerifyOptions struct {
	Reloads int    // how often the client module is evaluated again; at least 2
	URL     string // of a page that queries the database on a server that runs already; a path alone ("/orders"): on one that is started
	Max     int    // the proof ends at so many sessions above the base line; at least 1
}

// Verdicts of dev:verify.
const (
	VerdictClean = "does_not_leak"
	VerdictLeaks = "leaks"
	VerdictHeals = "heals" // reloads leave pools behind, which close their sessions after a while: no leak, and enough quick reloads still fill the server
)

// VerifyReport is the proof.
type VerifyReport struct {
	OK        bool           `json:"ok"` // reloads leave nothing behind
	Verdict   string         `json:"verdict"`
	URL       string         `json:"url"`
	Started   bool           `json:"started"`    // the dev server was started for the proof, and stopped after it
	Command   string         `json:"command"`    // that started it
	Static    bool           `json:"static"`     // the dev server evaluates nothing again when a file changes, nor restarts
	Modules   []string       `json:"modules"`    // that make the client, relative to the project's root; they are what is evaluated again
	CountedBy string         `json:"counted_by"` // "process": sessions of the dev server's processes; "database": of the whole database
	Base      int            `json:"base"`       // sessions after the first reload
	Peak      int            `json:"peak"`
	Growth    float64        `json:"growth"`     // sessions a reload, from the base line on
	Request   float64        `json:"request"`    // sessions that each request leaves behind, whether there is a reload or not; 0: none
	FullAfter int            `json:"full_after"` // so many more reloads, or requests, fill the server (where it heals: quick ones); 0: it does not grow
	HealedMS  int64          `json:"healed_ms"`  // after which the sessions left behind were closed; 0: they were not
	Usable    int            `json:"usable"`
	Reloads   []VerifyReload `json:"reloads"`
	TookMS    int64          `json:"took_ms"`
	Next      string         `json:"next,omitempty"` // what to do where it leaks
}

// VerifyReload is one time that the client module was evaluated again.
type VerifyReload struct {
	Sessions int `json:"sessions"` // of the dev server, when they had settled
	Failed   int `json:"failed"`   // of the requests after it, that were answered with 500 or more, or not at all
}

// How the proof goes about it.
const (
	verifyRequests = 10               // at once after each reload, so that a pool opens what it may
	mostBursts     = 6                // of them after the first reload, until the pool has opened all that it will
	growingBursts  = 3                // that have to add sessions until requests are said to leave them behind
	leastGrowing   = 0.5              // sessions a reload from which it counts as growth: a pool that is left behind has at least one
	healWithin     = 14 * time.Second // node-postgres closes idle sessions after 10 s by default
	keptFree       = 2                // slots that the proof leaves to others
)

// Verify proves whether hot reload leaks: it has the dev server evaluate the
// modules that make the database client again and again, asks for a page after
// each, and counts the sessions from one session of its own. That a module was
// evaluated is not believed but reported by the module itself. Its files are
// as they were afterwards, whatever ends the run.
func (rb *Runbook) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	began := time.Now()
	r := VerifyReport{Modules: []string{}, Reloads: []VerifyReload{}}
	if o.Reloads < 2 || o.Max < 1 {
		return r, &Failure{Exit: ExitSettings, Code: "usage", Message: "-reloads wants at least 2 and -max at least 1; nothing was touched.", Next: rb.Command("dev:verify -reloads=10 -max=10")}
	}
	if rb.cfg.ReadOnly {
		return r, refusedReadOnly(rb, "dev:verify", "would run the dev server, and put a line for a moment into each module that makes a database client")
	}
	v := &verification{rb: rb, o: o, report: &r}
	closed := sync.OnceValue(v.close)
	defer closed()
	err := v.prepare(ctx)
	if err == nil {
		err = v.reloads(ctx)
	}
	if err == nil {
		err = v.judge(ctx)
	}
	seen := closed()
	switch {
	case err != nil && ctx.Err() != nil:
		message := "The proof was cut short; every file is as it was."
		if len(seen) > 0 {
			message = "The proof was cut short."
		}
		err = &Failure{Exit: ExitNotDone, Code: "interrupted", Message: message, Details: seen, Next: rb.Command("dev:verify"), Err: err}
	case err != nil:
		if f := AsFailure(err); len(seen) > 0 {
			f.Details = append(f.Details, seen...)
			err = f
		}
	default:
		for _, s := range seen {
			rb.progress("%s", s)
		}
	}
	r.TookMS = time.Since(began).Milliseconds()
	return r, err
}

// verification is the state of one proof.
type verification struct {
	rb     *Runbook
	o      VerifyOptions
	report *VerifyReport

	held    *access
	before  map[pgops.SessionID]bool // sessions of the database before the proof began
	server  *provedServer
	modules []*module
	clients clients
	beacon  *beacon
}

// prepare finds the modules, logs in, has the dev server answer, and starts
// what listens for the modules' reports.
func (v *verification) prepare(ctx context.Context) error {
	var err error
	if v.clients, err = findClients(ctx, v.rb); err != nil {
		return err
	}
	files := v.clients.modules
	v.report.Modules = append(v.report.Modules, files...)
	if v.held, err = open(ctx, v.rb, openOptions{caller: "dev:verify", one: true}); err != nil {
		return err
	}
	v.report.Usable = v.held.server.Slots.Usable()
	sessions, err := pgops.Sessions(ctx, v.held.conn, v.rb.pool.URL().Database)
	if err != nil {
		return err
	}
	v.before = map[pgops.SessionID]bool{}
	for _, s := range sessions {
		v.before[s.ID()] = true
	}
	if v.beacon, err = newBeacon(); err != nil {
		return err
	}
	if v.modules, err = openModules(v.rb.cfg.Root, projectRoot(v.rb), files); err != nil {
		return err
	}
	if v.server, err = v.serve(ctx); err != nil {
		return err
	}
	err = v.server.awaitPage(ctx, v.rb)
	v.report.URL, v.report.Started, v.report.Command = v.server.url, v.server.started, v.server.command
	if err != nil {
		return err
	}
	n, err := v.settled(ctx)
	if err == nil && n == 0 {
		err = &Failure{Exit: ExitNotDone, Code: "no_session", Message: fmt.Sprintf("%s was answered without a session of the database: that page proves nothing.", v.server.url),
			Next: "give one that queries the database: " + v.rb.Command("dev:verify -url=/path/of/it")}
	}
	return err
}

// reloads evaluates the modules again and again; it stops early rather than
// fill the server.
func (v *verification) reloads(ctx context.Context) error {
	r := v.report
	if len(v.modules) == 0 {
		return v.requestsAlone(ctx)
	}
	for i := range v.o.Reloads {
		if err := v.reload(ctx, i+1); err != nil {
			return err
		}
		if r.Static {
			v.rb.progress("%s was changed, and nothing was evaluated again", r.Modules[0])
			return v.requestsAlone(ctx)
		}
		n, failed, err := v.ask(ctx, i == 0)
		if err != nil {
			return err
		}
		r.Reloads = append(r.Reloads, VerifyReload{n, failed})
		r.Peak = max(r.Peak, n)
		step := 0
		if i == 0 {
			r.Base = n
		} else {
			step = max(0, n-r.Reloads[i-1].Sessions)
		}
		v.rb.progress("reload %d of %d: %d sessions", i+1, v.o.Reloads, n)
		if r.Request > 0 {
			v.rb.progress("stopping here: each request leaves sessions behind")
			break
		}
		sample, err := pgops.TakeSample(ctx, v.held.conn, v.rb.pool.URL().Database)
		if err != nil {
			return err
		}
		above, free := n-r.Base, sample.Slots.Free()
		if i > 0 && i+1 < v.o.Reloads && (above >= v.o.Max || free < step+keptFree) {
			v.rb.progress("stopping here: %d sessions more than after the first reload, %d slots are free", above, free)
			break
		}
	}
	return nil
}

// requestsAlone is the proof where no module can report that it was evaluated:
// the client is made in a file of markup, or the dev server evaluates nothing
// again. What it is told by is what requests leave behind.
func (v *verification) requestsAlone(ctx context.Context) error {
	n, failed, err := v.ask(ctx, true)
	if err != nil {
		return err
	}
	v.report.Base, v.report.Peak, v.report.Reloads = n, n, []VerifyReload{{n, failed}}
	if v.report.Request > 0 || v.report.Static {
		return nil
	}
	return &Failure{Exit: ExitNotDone, Code: "no_client", Message: fmt.Sprintf("Nothing is proven: requests leave nothing behind, and whether reloads do can't be told: %s makes the client, and only a module of JavaScript or TypeScript can report that it was evaluated.", v.clients.markup[0]),
		Next: "put the client into a module of its own, which " + v.clients.markup[0] + " imports; " + v.rb.Command("dev:check") + " says how"}
}

// ask asks for the page many times at once, and after the first reload again
// and again until no session comes of it any more: a pool that is still filling
// up is no leak. Where sessions come of every burst, beyond what the clients may
// have, each request leaves some behind.
func (v *verification) ask(ctx context.Context, fill bool) (sessions, failed int, err error) {
	first := 0
	for burst := range mostBursts {
		failed += v.server.burst(ctx, verifyRequests)
		before := sessions
		if sessions, err = v.settled(ctx); err != nil || !fill || sessions <= before {
			return sessions, failed, err
		}
		sample, err := pgops.TakeSample(ctx, v.held.conn, v.rb.pool.URL().Database)
		switch {
		case err != nil:
			return sessions, failed, err
		case burst == 0:
			first = sessions
		case sessions > v.clients.limit && (burst == mostBursts-1 || burst >= growingBursts && sessions-first >= v.o.Max || sample.Slots.Free() < sessions-before+keptFree):
			v.report.Request = float64(sessions-first) / float64(burst*verifyRequests)
			return sessions, failed, nil
		}
	}
	return sessions, failed, nil
}

// reload has every module evaluated again and waits until each has reported.
func (v *verification) reload(ctx context.Context, n int) error {
	done := v.rb.waiting("waiting until the dev server evaluates %s again", v.report.Modules[0])
	defer done()
	for i, m := range v.modules {
		if err := m.touch(v.beacon.url(n, i)); err != nil {
			return &Failure{Exit: ExitNotDone, Code: "not_touched", Message: fmt.Sprintf("Nothing is proven: %s can't be changed for a moment: %s.", v.report.Modules[i], osWords(err)),
				Next: v.rb.Command("dev:verify"), Err: err}
		}
	}
	// One of them at least: a seed's or a worker's module is not the dev server's.
	within, static := evaluatedIn, v.clients.static && v.server.started
	if static {
		within = staticFor
	}
	if err := v.server.askUntil(ctx, v.rb, within, func() bool { return v.beacon.heard(n) }); err != nil {
		return err
	}
	if !v.beacon.heard(n) && static {
		v.report.Static = true
		return nil
	}
	if !v.beacon.heard(n) {
		return &Failure{Exit: ExitNotDone, Code: "not_evaluated", Message: fmt.Sprintf("Nothing is proven: %s was changed and %s asked for, and the dev server did not evaluate it again.", v.report.Modules[0], v.server.url),
			Details: v.server.tail(), Next: "give a page that uses it: " + v.rb.Command("dev:verify -url=/path/of/it")}
	}
	return v.server.awaitAnswer(ctx, v.rb)
}

// close gives everything back: the files, of which it says what was seen, the
// dev server, the session.
func (v *verification) close() (seen []string) {
	seen = closeModules(v.modules)
	if v.server != nil {
		v.server.stop()
	}
	if v.beacon != nil {
		v.beacon.close()
	}
	if v.held != nil {
		v.held.release()
	}
	return seen
}

// Headline is the verdict for people.
func (r VerifyReport) Headline() string {
	grows, more := fmt.Sprintf("grows %.1f a reload", r.Growth), "reloads"
	if r.Request > 0 {
		grows, more = fmt.Sprintf("each request leaves %.1f behind", r.Request), "requests"
	}
	switch r.Verdict {
	case VerdictLeaks:
		return fmt.Sprintf("peak %d, %s: leaks; full after about %d more %s", r.Peak, grows, r.FullAfter, more)
	case VerdictHeals:
		return fmt.Sprintf("peak %d, %s: leaks, and heals within %.0f s; about %d more %s within that time fill the server", r.Peak, grows, math.Ceil(float64(r.HealedMS)/1000), r.FullAfter, more)
	}
	if r.Static {
		return fmt.Sprintf("peak %d, and the dev server evaluates nothing again when a file changes: does not leak", r.Peak)
	}
	return fmt.Sprintf("peak %d, growth %.1f a reload: does not leak", r.Peak, r.Growth)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
