package live

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// recorded is an engine that replays looks and notes what it is asked to end.
type recorded struct {
	history runbook.History
	looks   []runbook.Look // the next ones; the last one again when there is none left
	asked   []runbook.CleanupOptions
	reports []runbook.CleanupReport // answers, in turn
	fails   error
}

func (r *recorded) Look(context.Context) (runbook.Look, error) {
	l := r.looks[0]
	if len(r.looks) > 1 {
		r.looks = r.looks[1:]
	}
	return l, nil
}

func (r *recorded) Cleanup(_ context.Context, o runbook.CleanupOptions) (runbook.CleanupReport, error) {
	r.asked = append(r.asked, o)
	if r.fails != nil {
		return runbook.CleanupReport{}, r.fails
	}
	report := r.reports[0]
	r.reports = r.reports[1:]
	return report, nil
}

func (r *recorded) History(time.Duration) runbook.History { return r.history }
func (r *recorded) Version() string                       { return "15.18 (Debian 15.18-0+deb12u1)" }
func (r *recorded) Place() runbook.Place {
	return runbook.Place{Host: "localhost", Port: 5432, Database: "shop", Role: "app", From: "DATABASE_URL of .env, line 1"}
}

func session(pid int, database string, state pgops.State, holder int) runbook.WhoSession {
	start := noon.Add(-time.Duration(pid) * time.Second)
	return runbook.WhoSession{HolderPID: holder, Session: pgops.Session{PID: pid, BackendStart: &start, Role: "app", Database: database, ApplicationName: "shop",
		ClientAddr: "127.0.0.1", ClientPort: 40000 + pid, State: state, Age: time.Duration(pid) * time.Second, AgeMS: int64(pid) * 1000, Query: "SELECT * FROM orders WHERE id = $1"}}
}

// leaking is a server of 100 slots at the moment at: a vite process that leaks,
// a worker, and another project's sessions.
func leaking(at time.Time, leaked int) runbook.Look {
	vite := runbook.Source{PID: 4242, Command: "node vite dev", Dir: "/srv/shop", Project: "/srv/shop", Ours: true, Started: noon.Add(-time.Hour), Ports: []int{3000},
		Applications: []string{"shop"}, Roles: []string{"app"}, Databases: []string{"shop"}, Addr: "127.0.0.1", OldestMS: 192_000, Count: leaked, Idle: leaked}
	worker := runbook.Source{PID: 5151, Command: "node worker.js", Dir: "/srv/shop", Project: "/srv/shop", Ours: true, Started: noon.Add(-time.Hour),
		Applications: []string{"worker"}, Roles: []string{"app"}, Databases: []string{"shop"}, Addr: "127.0.0.1", OldestMS: 7_260_000, Count: 4, Idle: 1}
	other := runbook.Source{Applications: []string{"blog"}, Roles: []string{"blog"}, Databases: []string{"blog"}, Addr: "172.17.0.3", OldestMS: 60_000, Count: 5, Idle: 2}
	l := runbook.Look{Sources: []runbook.Source{vite, worker, other}}
	add := func(i int, s runbook.WhoSession) {
		l.Sessions = append(l.Sessions, s)
		l.Sources[i].Members = append(l.Sources[i].Members, s.ID())
	}
	for n := range leaked {
		add(0, session(100+n, "shop", pgops.StateIdle, 4242))
	}
	for n, state := range []pgops.State{pgops.StateIdle, pgops.StateActive, pgops.StateActive, pgops.StateIdleInTx} {
		add(1, session(1000+n, "shop", state, 5151))
	}
	for n := range 5 {
		add(2, session(2000+n, "blog", pgops.StateIdle, 0))
	}
	l.Time, l.OK = at, true
	l.MonitorSample.Sessions, l.Idle, l.Active, l.InTransaction = leaked+4, leaked+1, 2, 1
	l.Slots = pgops.Slots{Max: 100, SuperuserReserved: 3, Used: leaked + 10}
	l.Used, l.Usable = l.Slots.Used, 97
	l.Percent = float64(l.Used*1000/97) / 10
	return l
}

// scene is a screen that has watched a leak for a while, as fast as looks can
// be taken from a record.
func scene(t *testing.T, o Options, width, height int) (*model, *recorded) {
	t.Helper()
	r := &recorded{history: runbook.History{Place: runbook.Place{Database: "shop"}, Warn: 10, Usable: 97, Max: 100}}
	o.Every = 2 * time.Second
	m := newModel(t.Context(), r, o)
	at := noon
	m.now = func() time.Time { return at }
	for i := range 90 {
		at = noon.Add(time.Duration(2*i) * time.Second)
		l := leaking(at, 4+i/3)
		perMinute := 10.0
		if i > 3 {
			l.PerMinute, l.FullInMS = &perMinute, 324_000
		}
		r.history.Points = append(r.history.Points, runbook.Point{Time: at, Idle: l.Idle, Active: 2, InTransaction: 1, Elsewhere: 6, Refused: i == 40, Lost: i == 20})
		r.looks = []runbook.Look{l}
		m.Update(lookMsg{look: l})
	}
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return m, r
}

// press types keys and runs what they ask for to its end, timers left out.
func press(t *testing.T, m *model, keys ...string) {
	t.Helper()
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
		switch k {
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "space":
			msg = tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
		case "backspace":
			msg = tea.KeyPressMsg{Code: tea.KeyBackspace}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		}
		_, cmd := m.Update(msg)
		settle(t, m, cmd)
	}
}

// settle runs the engine's calls that a command makes.
func settle(t *testing.T, m *model, cmd tea.Cmd) {
	t.Helper()
	if cmd == nil {
		return
	}
	done := make(chan tea.Msg, 1)
	go func() { done <- cmd() }()
	select {
	case msg := <-done:
		switch msg := msg.(type) {
		case tea.BatchMsg:
			for _, c := range msg {
				settle(t, m, c)
			}
		case planMsg, doneMsg, lookMsg:
			_, next := m.Update(msg)
			settle(t, m, next)
		}
	case <-time.After(100 * time.Millisecond): // a timer
	}
}

func contains(t *testing.T, m *model, words ...string) {
	t.Helper()
	text := text(m)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not on the screen:\n%s", w, text)
		}
	}
}

func planOf(n int, force bool) runbook.CleanupReport {
	r := runbook.CleanupReport{OK: true, Force: force, Usable: 97, Free: 60}
	r.Target.Place = runbook.Place{Host: "localhost", Port: 5432, Database: "shop", Role: "app"}
	for i := range n {
		r.Plan = append(r.Plan, session(100+i, "shop", pgops.StateIdle, 4242).Session)
	}
	r.Holders = []runbook.Source{{PID: 4242, Command: "node vite dev", Dir: "/srv/shop", Count: n}}
	r.Ended = n
	return r
}

func fmtSize(w, h int) string { return fmt.Sprintf("%dx%d", w, h) }
