package live

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// field is one column of a list; a width of 0 takes what the others leave.
type field struct {
	title string
	width int
	right bool
}

// middle cuts a text in its middle: the program stands at its beginning, the
// port at its end.
func (m *model) middle(text string, width int) string {
	const least = 12
	long := ansi.StringWidth(text)
	if long <= width || width < least {
		return ansi.Truncate(text, max(0, width), "")
	}
	mark := m.style.glyph("…", "~")
	tail := (width - 1) / 3
	return ansi.Truncate(text, width-1-tail, "") + mark + ansi.TruncateLeft(text, long-tail, "")
}

// row lays out a cell for each column, further ones left out; what does not
// fit is cut.
func (m *model) row(width int, fields []field, cells []string) string {
	rest := width
	for _, f := range fields {
		rest -= f.width + 1
	}
	var b strings.Builder
	for i, f := range fields {
		w := f.width
		if w == 0 {
			w = max(rest, 4)
		}
		text := plain.Line(cells[i])
		if f.width == 0 {
			text = m.middle(text, w)
		}
		text = ansi.Truncate(text, w, "")
		pad := strings.Repeat(" ", max(0, w-lipgloss.Width(text)))
		if f.right {
			text = pad + text
		} else {
			text += pad
		}
		b.WriteString(text + " ")
	}
	return ansi.Truncate(b.String(), width, "")
}

func titles(fields []field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.title
	}
	return list
}

// list shows the rows around the chosen one below a head.
func (m *model) list(room int, fields []field, n, chosen int, cells func(i int) []string) []string {
	m.table.height = max(1, room-1)
	lines := []string{m.style.strong.Render("  " + m.row(m.width-2, fields, titles(fields)))}
	from, to := m.table.window(n, chosen)
	for i := from; i < to; i++ {
		text := m.row(m.width-2, fields, cells(i))
		if i == chosen {
			lines = append(lines, m.style.chosen.Render(m.style.glyph("›", ">")+" "+text))
		} else {
			lines = append(lines, "  "+text)
		}
	}
	return lines
}

// leastName is what the column without a width of its own keeps before there
// are further columns.
const leastName = 44

// extend adds those of the further columns for which there is room.
func (m *model) extend(fields []field, more ...field) []field {
	rest := m.width - 2
	for _, f := range fields {
		rest -= f.width + 1
	}
	for _, f := range more {
		if rest -= f.width + 1; rest < leastName {
			break
		}
		fields = append(fields, f)
	}
	return fields
}

func (m *model) sourceTable(room int) []string {
	list := m.sources()
	if len(list) == 0 {
		return []string{"", m.style.faint.Render(" " + m.empty())}
	}
	head := "SOURCE"
	if !m.look.OK {
		head = "SOURCE, as it was before"
	}
	fields := []field{{head, 0, false}, {"SESSIONS", 8, true}, {"IDLE", 5, true}, {"1 MIN", 6, true}, {"OLDEST", 9, true}}
	fields = m.extend(fields, field{"APPLICATION", 18, false}, field{"ROLE", 14, false}, field{"DATABASE", 14, false}, field{"ADDRESS", 15, false})
	_, chosen := m.rows()
	return m.list(room, fields, len(list), chosen, func(i int) []string {
		s := list[i]
		name := m.markOf(m.sessionsOf(s)) + s.Name()
		if s.Ours {
			name += ", this project"
		}
		return []string{name, fmt.Sprint(s.Count), fmt.Sprint(s.Idle), m.arrow(s), m.age(time.Duration(s.OldestMS) * time.Millisecond),
			strings.Join(s.Applications, ","), strings.Join(s.Roles, ","), strings.Join(s.Databases, ","), address(s.Addr)}
	})
}

func (m *model) sessionTable(room int) []string {
	list := m.sessions()
	name := "source"
	for _, s := range m.look.Sources {
		if keyOf(s) == m.open {
			name = s.Name()
		}
	}
	lines := []string{m.style.strong.Render(plain.Sprintf(" %d sessions of %s", len(list), name))}
	if len(list) == 0 {
		return append(lines, m.style.faint.Render(" "+m.empty()))
	}
	fields := m.extend([]field{{"PID", 9, true}, {"LAST QUERY", 0, false}, {"STATE", 11, false}, {"FOR", 9, true}, {"CLIENT", 21, false}},
		field{"DATABASE", 14, false}, field{"APPLICATION", 18, false}, field{"ROLE", 14, false})
	_, chosen := m.rows()
	return append(lines, m.list(room-1, fields, len(list), chosen, func(i int) []string {
		s := list[i]
		state := strings.Replace(string(s.State), "in transaction", "in tx", 1)
		return []string{m.markOf(list[i:i+1]) + fmt.Sprint(s.PID), s.Query, state, m.age(s.Age), client(s), s.Database, s.ApplicationName, s.Role}
	})...)
}

// empty says why nothing is listed.
func (m *model) empty() string {
	switch {
	case m.filter != "":
		return fmt.Sprintf("nothing matches %q (Esc drops the filter)", m.filter)
	case m.idleOnly:
		return "nothing is idle (i shows all)"
	case m.look.Refused || !m.look.OK:
		return "who holds the slots can't be told from here"
	}
	return "no client session but our own"
}

// markOf is a star before what is marked, wholly or (a plus) in part.
func (m *model) markOf(list []runbook.WhoSession) string {
	n := 0
	for _, s := range list {
		if m.marked[s.ID()] {
			n++
		}
	}
	switch {
	case n == 0:
		return ""
	case n == len(list):
		return "*"
	}
	return "+"
}

// arrow is how a source's sessions changed within the last minute.
func (m *model) arrow(s runbook.Source) string {
	n := m.growth.of(s)
	switch {
	case n > 0:
		return fmt.Sprintf("%s%d", m.style.glyph("▲", "+"), n)
	case n < 0:
		return fmt.Sprintf("%s%d", m.style.glyph("▼", "-"), -n)
	}
	return m.style.glyph("·", ".")
}

// age is empty where it is hidden.
func (m *model) age(d time.Duration) string {
	if d == 0 {
		return m.style.glyph("·", ".")
	}
	return screen.Age(d)
}

func address(addr string) string {
	if addr == "" {
		return "local"
	}
	return addr
}

// client is where a session comes from: address and port, or the holder.
func client(s runbook.WhoSession) string {
	switch {
	case s.ClientPort > 0:
		return fmt.Sprintf("%s:%d", s.ClientAddr, s.ClientPort)
	case s.ClientPort < 0:
		return "local socket"
	}
	return "hidden"
}
