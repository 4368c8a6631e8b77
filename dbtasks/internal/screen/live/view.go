package live

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
)

// The smallest terminal that is drawn on, and the height from which there is
// a chart.
const leastWidth, leastHeight, chartFrom = 40, 10, 18

// View draws the screen.
func (m *model) View() tea.View {
	if m.drawn == "" {
		m.drawn = strings.Join(m.lines(), "\n")
	}
	v := tea.NewView(m.drawn)
	v.AltScreen = true
	v.WindowTitle = "dbtasks: " + plain.Line(m.engine.Place().Database)
	return v
}

// lines are the screen's, each at most as wide as it, and exactly as many as
// it has.
func (m *model) lines() []string {
	if m.width < leastWidth || m.height < leastHeight {
		return m.cut([]string{m.headline(), fmt.Sprintf("The terminal is too small: %dx%d wanted.", leastWidth, leastHeight), "q quit"})
	}
	h := m.engine.History(max(chartWindow, m.every*time.Duration(m.width)))
	now := m.now()
	used := [kinds]int{}
	if m.look.Refused {
		used[kindOther] = h.Usable
	}
	if n := len(h.Points); n > 0 && h.Points[n-1].Used() > 0 {
		used = counts(h.Points[n-1])
	}
	lines := []string{m.title(now), m.headline(), m.leakLine()}
	if b := m.look.Bouncer; b != nil {
		lines = append(lines, " "+plain.Line(b.Headline()))
	}
	if h.Max > 0 {
		inner := m.width - 2
		lines = append(lines,
			"["+m.gauge(inner, used, h.Usable, h.Max)+"]",
			" "+m.marks(inner, h.Warn, h.Usable, h.Max),
			" "+m.legend(used))
	}
	if m.height >= chartFrom {
		rows, _ := m.rows()
		lines = append(lines, m.chart(m.width, chartHeight(m.height, len(lines), rows), h, now)...)
	}
	room := m.height - len(lines) - 2 // status and keys
	switch {
	case m.help:
		lines = append(lines, helpLines...)
	case m.question != nil:
		lines = append(lines, m.questionLines(room)...)
	case m.open != "":
		lines = append(lines, m.sessionTable(room)...)
	default:
		lines = append(lines, m.sourceTable(room)...)
	}
	lines = lines[:min(len(lines), m.height-2)]
	for len(lines) < m.height-2 {
		lines = append(lines, "")
	}
	return m.cut(append(lines, m.statusLine(), m.keyLine()))
}

// leastRows is how many lines a list has room for before the chart takes more
// than its share: it does not jump when a source comes or goes.
const leastRows = 8

// chartHeight is a third of the screen, and up to three fifths of it where the
// list needs less than what is left below so many lines.
func chartHeight(height, above, rows int) int {
	room := height - above - 2 - max(rows+1, leastRows)
	return max(height/3, 6, min(room, height*3/5))
}

func (m *model) cut(lines []string) []string {
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, m.width, "")
	}
	return lines
}

// title says what is watched.
func (m *model) title(now time.Time) string {
	place := m.engine.Place()
	left := plain.Sprintf(" %s  %s at %s", plain.Safe(m.style.strong.Render("dbtasks")), place.Database, place.At())
	if place.From != "" {
		left += plain.Sprintf(" (%s)", place.From)
	}
	version := ""
	if v := m.engine.Version(); v != "" {
		version = "  PostgreSQL " + plain.Line(strings.Fields(v)[0]) // packagers add their own version
	}
	right := []string{"every " + short(m.every) + "  " + now.Format(time.TimeOnly) + " ", now.Format(time.TimeOnly) + " "}
	if m.paused {
		right = []string{m.style.chosen.Render(" PAUSED, p goes on "), m.style.chosen.Render(" PAUSED ")}
	}
	// Which database it is counts most, then the time, then the rest.
	for _, try := range [][2]string{{left + version, right[0]}, {left + version, right[1]}, {left, right[0]}, {left, right[1]}} {
		if lipgloss.Width(try[0])+lipgloss.Width(try[1]) < m.width {
			return spread(try[0], try[1], m.width)
		}
	}
	return left
}

// spread puts the second text at the right edge; it gives way where both do
// not fit.
func spread(left, right string, width int) string {
	gap := width - lipgloss.Width(left) - lipgloss.Width(right)
	if gap < 1 {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}

// headline is the outcome: how full, where to.
func (m *model) headline() string {
	l := m.look
	switch {
	case !l.OK:
		down := m.now().Sub(m.downFrom)
		return m.style.bad.Render(plain.Sprintf(" NO ANSWER for %s, since %s: %s", screen.Age(down), m.downFrom.Format(time.TimeOnly), l.Message))
	case l.Refused:
		return m.style.bad.Render(" FULL, 100 %: the server refuses logins.") + " " + plain.Line(l.Message)
	}
	text := fmt.Sprintf(" %d of %d usable slots (%.0f %%)", l.Used, l.Usable, l.Percent)
	ink := m.style.good
	switch {
	case l.Used >= l.Usable:
		return m.style.bad.Render(fmt.Sprintf(" FULL: %d of %d usable slots; the next login is refused", l.Used, l.Usable))
	case l.Percent >= 80 || l.FullInMS > 0 && l.FullInMS < (5*time.Minute).Milliseconds():
		ink = m.style.bad
	case l.Percent >= 50 || l.FullInMS > 0:
		ink = m.style.warn
	}
	return ink.Render(text + trend(l.PerMinute, l.FullInMS))
}

// trend is ", growing 12 a minute, full in about 4 min".
func trend(perMinute *float64, fullInMS int64) string {
	switch {
	case perMinute == nil:
		return ""
	case fullInMS > 0:
		return fmt.Sprintf(", growing %.0f a minute, full in about %s", max(1, *perMinute), screen.Age(time.Duration(fullInMS)*time.Millisecond))
	case *perMinute >= 0.5:
		return fmt.Sprintf(", growing %.0f a minute", max(1, *perMinute))
	case *perMinute <= -0.5:
		return fmt.Sprintf(", falling %.0f a minute", max(1, -*perMinute))
	}
	return ", steady"
}

// leakLine names the leak.
func (m *model) leakLine() string {
	s, found := m.growth.leak(m.look.Sources)
	if !found || !m.look.OK {
		return ""
	}
	// The figures first: a long name may be cut.
	text := fmt.Sprintf(" LEAK: %d held, %d idle", s.Count, s.Idle)
	if n := m.growth.of(s); n > 0 {
		text += fmt.Sprintf(", +%d within a minute", n)
	}
	if s.LeftBehind > 0 {
		text += fmt.Sprintf(", %d left by reloads", s.LeftBehind)
	}
	text += ": " + plain.Line(s.Name())
	return m.style.bad.Render(text)
}

func (m *model) questionLines(room int) []string {
	q := m.question
	lines := []string{"", m.style.warn.Render(" " + plain.Line(q.text))}
	for i, d := range q.details {
		if i == room-5 && len(q.details) > room-4 {
			lines = append(lines, fmt.Sprintf("   and %d more lines", len(q.details)-i))
			break
		}
		lines = append(lines, "   "+plain.Line(d))
	}
	return append(lines, "", m.style.strong.Render(" y")+" yes   "+m.style.strong.Render("n")+" no (any other key)")
}

func (m *model) statusLine() string {
	switch {
	case m.typing:
		return " filter: " + plain.Line(m.filter) + m.style.chosen.Render(" ") + m.style.faint.Render("  Enter keeps it, Esc drops it")
	case m.acting != "":
		text := " " + m.acting + " …"
		if took := m.now().Sub(m.actFrom); took >= time.Second {
			text += " " + screen.Age(took)
		}
		return m.style.warn.Render(text)
	case m.bad:
		return m.style.bad.Render(" " + plain.Line(m.status))
	case m.status != "":
		return m.style.good.Render(" " + plain.Line(m.status))
	}
	var parts []string
	if n := len(m.marked); n > 0 {
		parts = append(parts, fmt.Sprintf("%d marked", n))
	}
	if m.idleOnly {
		parts = append(parts, "idle only")
	}
	if m.filter != "" {
		parts = append(parts, "filter: "+plain.Line(m.filter))
	}
	if len(parts) == 0 {
		return ""
	}
	return m.style.faint.Render(" " + strings.Join(parts, ", "))
}

func (m *model) keyLine() string {
	keys := []string{"c cleanup idle", "C all", "Enter open", "Space mark", "x end marked", "/ filter", "i idle", "s sort", "+/- interval", "p pause", "? help", "q quit"}
	if m.width < 130 {
		keys = []string{"c cleanup", "C all", "Enter open", "Space mark", "x end", "/ i s p +/-", "? help", "q quit"}
	}
	return m.style.faint.Render(" " + strings.Join(keys, "  "))
}

var helpLines = []string{
	"",
	" up down j k   choose                   c   end idle sessions of this database",
	" Enter, Esc    open a source, back      C   end ALL sessions of this database",
	" Space         mark a session, or all   x   end the marked sessions",
	"               of a source              Each shows its plan and asks: y or no.",
	" i idle only   / filter   s sort        + - interval   p pause",
	" q quit        Ctrl+Z to the shell      any key closes this",
}
