package live

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// model is the state of the screen. Messages change it; View draws it.
type model struct {
	ctx    context.Context
	engine Engine
	now    func() time.Time
	gone   func() bool // the terminal is: nobody reads any more, and HUP was ignored (nohup)

	width, height int
	style         style
	utf8          bool

	every    time.Duration
	ends     time.Time // zero: never
	paused   bool
	looking  bool // a look is under way
	tick     int  // of the timer that counts; older ones are out of date
	look     runbook.Look
	downFrom time.Time // since when there is no answer
	growth   growth

	table    table
	open     string // key of the source whose sessions are listed; empty: the sources are
	idleOnly bool
	filter   string
	typing   bool // the filter is being typed
	help     bool
	marked   map[pgops.SessionID]bool

	question *question
	acting   string // what is being done; empty: nothing
	actFrom  time.Time
	drawn    string // the screen as it was drawn last; empty: something has changed since
	status   string
	bad      bool // status is of something that did not work
}

func newModel(ctx context.Context, engine Engine, o Options) *model {
	m := &model{ctx: ctx, engine: engine, now: time.Now, gone: func() bool { return false }, every: o.Every, utf8: encodesUTF8(o.Environ, runtime.GOOS == "windows"),
		width: 80, height: 24, growth: growth{counts: map[string][]countAt{}}, marked: map[pgops.SessionID]bool{}}
	m.style = newStyle(true, m.utf8, true)
	if o.For > 0 {
		m.ends = m.now().Add(o.For)
	}
	return m
}

// messages of the screen's own.
type (
	tickMsg int // the timer's number
	lookMsg struct {
		look runbook.Look
		err  error
	}
	secondMsg struct{} // what is waited for has its time shown
	overMsg   struct{}
)

// Init asks the terminal for its background and starts the timers.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{tea.RequestBackgroundColor, m.next()}
	if !m.ends.IsZero() {
		cmds = append(cmds, tea.Tick(m.ends.Sub(m.now()), func(time.Time) tea.Msg { return overMsg{} }))
	}
	return tea.Batch(cmds...)
}

// next is the timer for the next look; those set before are out of date.
func (m *model) next() tea.Cmd {
	m.tick++
	tick := m.tick
	return tea.Tick(m.every, func(time.Time) tea.Msg { return tickMsg(tick) })
}

func second() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return secondMsg{} }) }

func (m *model) lookNow() tea.Cmd {
	m.looking = true
	ctx, engine := m.ctx, m.engine
	return func() tea.Msg {
		l, err := engine.Look(ctx)
		return lookMsg{l, err}
	}
}

// Update takes one message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if _, timer := msg.(tickMsg); !timer {
		m.drawn = ""
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.style = newStyle(msg.IsDark(), m.utf8, m.style.color)
	case tea.ColorProfileMsg:
		m.style = newStyle(m.style.dark, m.utf8, msg.Profile > colorprofile.ASCII)
	case tickMsg:
		if m.gone() {
			return m, tea.Quit
		}
		if int(msg) == m.tick && !m.paused && !m.looking {
			return m, m.lookNow()
		}
	case lookMsg:
		m.looking = false
		if msg.err == nil {
			m.take(msg.look)
		}
		return m, m.next()
	case planMsg:
		return m, m.planned(msg)
	case doneMsg:
		return m, m.finished(msg)
	case secondMsg:
		if m.acting != "" {
			return m, second()
		}
	case overMsg:
		return m, tea.Quit
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

// take shows a look.
func (m *model) take(l runbook.Look) {
	if !l.OK {
		if m.downFrom.IsZero() {
			m.downFrom = l.Time.Add(-time.Duration(l.DownMS) * time.Millisecond)
		}
		l.Sources, l.Sessions = m.look.Sources, m.look.Sessions // as they were
		l.Sample.Slots = m.look.Slots
		m.look = l
		return
	}
	m.downFrom = time.Time{}
	m.look = l
	m.growth.add(l)
	present := map[pgops.SessionID]bool{}
	for _, s := range l.Sessions {
		present[s.ID()] = true
	}
	for id := range m.marked {
		if !present[id] {
			delete(m.marked, id)
		}
	}
	if m.open != "" && !slices.ContainsFunc(l.Sources, func(s runbook.Source) bool { return keyOf(s) == m.open }) {
		m.say("the source that was open has no session left")
		m.open = ""
	}
	m.keepSelection()
}

func (m *model) say(format string, args ...any) {
	m.status, m.bad = fmt.Sprintf(format, args...), false
}

func (m *model) complain(format string, args ...any) {
	m.status, m.bad = fmt.Sprintf(format, args...), true
}
