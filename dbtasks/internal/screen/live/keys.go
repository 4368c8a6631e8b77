package live

import (
	"slices"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// intervals are what + and - step through.
var intervals = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// key does what a key asks for. A question or the filter being typed takes
// all keys but Ctrl+C.
func (m *model) key(msg tea.KeyPressMsg) tea.Cmd {
	switch k := msg.String(); {
	case k == "ctrl+c":
		return tea.Quit
	case k == "ctrl+z":
		return tea.Suspend
	case m.question != nil:
		return m.answer(k)
	case m.typing:
		m.typeFilter(k, msg.Text)
	case m.help:
		m.help = false
		if k == "q" {
			return tea.Quit
		}
	default:
		return m.command(k)
	}
	return nil
}

func (m *model) command(k string) tea.Cmd {
	m.say("")
	switch k {
	case "q":
		return tea.Quit
	case "?", "h", "f1":
		m.help = true
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "pgup":
		m.move(-m.table.height)
	case "pgdown":
		m.move(m.table.height)
	case "home", "g":
		m.move(-1 << 30)
	case "end", "G":
		m.move(1 << 30)
	case "enter", "right", "l":
		m.enter()
	case "esc", "left", "backspace":
		m.back()
	case "space":
		m.mark()
	case "i":
		m.idleOnly = !m.idleOnly
		m.keepSelection()
	case "/":
		m.typing = true
	case "s":
		m.nextSort()
	case "+", "=":
		return m.step(1)
	case "-":
		return m.step(-1)
	case "p":
		m.paused = !m.paused
		if !m.paused && !m.looking {
			return m.lookNow()
		}
	case "c":
		return m.plan(cleanIdle)
	case "C":
		return m.plan(cleanAll)
	case "x":
		return m.plan(endMarked)
	}
	return nil
}

// step changes the interval.
func (m *model) step(by int) tea.Cmd {
	i, exact := slices.BinarySearch(intervals, m.every)
	if by > 0 && !exact {
		i-- // the one above is at i already
	}
	i = min(max(i+by, 0), len(intervals)-1)
	m.every = intervals[i]
	if m.looking || m.paused {
		return nil
	}
	return m.next()
}

func (m *model) typeFilter(k, text string) {
	switch k {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-size]
	default:
		m.filter += text
	}
	m.keepSelection()
}

func (m *model) enter() {
	if m.open != "" {
		return
	}
	if s, ok := m.selectedSource(); ok {
		m.open = keyOf(s)
		m.table.session, m.table.moved, m.table.top = pgops.SessionID{}, false, 0
		m.keepSelection()
	}
}

// back closes what is open, the filter last.
func (m *model) back() {
	switch {
	case m.open != "":
		m.open, m.table.moved, m.table.top = "", true, 0
	case m.filter != "":
		m.filter = ""
	}
	m.keepSelection()
}

// mark marks or unmarks the chosen session, or all of the chosen source that
// may be ended here: those of the watched database.
func (m *model) mark() {
	var list []runbook.WhoSession
	if m.open != "" {
		if s, ok := m.selectedSession(); ok {
			list = append(list, s)
		}
	} else if src, ok := m.selectedSource(); ok {
		list = m.sessionsOf(src)
	}
	database := m.engine.Place().Database
	own := slices.DeleteFunc(slices.Clone(list), func(s runbook.WhoSession) bool { return s.Database != database })
	if len(own) == 0 {
		if len(list) > 0 {
			m.complain("only sessions of database %q can be ended here", database)
		}
		return
	}
	all := !slices.ContainsFunc(own, func(s runbook.WhoSession) bool { return !m.marked[s.ID()] })
	for _, s := range own {
		if all {
			delete(m.marked, s.ID())
		} else {
			m.marked[s.ID()] = true
		}
	}
	m.move(1)
}
