package live

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// table is the list of sources, or of the open source's sessions. What is
// chosen is remembered by name, so that it stays chosen when the order changes.
type table struct {
	source  string          // key of the chosen one
	session pgops.SessionID // the chosen one
	moved   bool            // by the user; before that the first row is the chosen one
	top     int             // first row shown
	height  int             // rows shown

	sourceSort, sessionSort int
}

// A sorting is what s steps through.
type sorting[T any] struct {
	name    string
	compare func(m *model, a, b T) int
}

var sourceSorts = []sorting[runbook.Source]{
	{"sessions", func(_ *model, a, b runbook.Source) int { return b.Count - a.Count }},
	{"idle", func(_ *model, a, b runbook.Source) int { return b.Idle - a.Idle }},
	{"growth", func(m *model, a, b runbook.Source) int { return m.growth.of(b) - m.growth.of(a) }},
	{"oldest", func(_ *model, a, b runbook.Source) int { return cmp.Compare(b.OldestMS, a.OldestMS) }},
	{"name", func(_ *model, a, b runbook.Source) int { return strings.Compare(a.Name(), b.Name()) }},
}

var sessionSorts = []sorting[runbook.WhoSession]{
	{"age", func(_ *model, a, b runbook.WhoSession) int { return cmp.Compare(b.AgeMS, a.AgeMS) }},
	{"state", func(_ *model, a, b runbook.WhoSession) int { return cmp.Compare(a.State, b.State) }},
	{"pid", func(_ *model, a, b runbook.WhoSession) int { return a.PID - b.PID }},
}

// sources are those to be listed, in order.
func (m *model) sources() []runbook.Source {
	list := slices.DeleteFunc(slices.Clone(m.look.Sources), func(s runbook.Source) bool {
		return m.idleOnly && s.Idle == 0 || !m.matches(s.Name(), strings.Join(s.Applications, " "), strings.Join(s.Roles, " "), strings.Join(s.Databases, " "), s.Addr)
	})
	order := sourceSorts[m.table.sourceSort]
	slices.SortStableFunc(list, func(a, b runbook.Source) int { return order.compare(m, a, b) })
	return list
}

// sessions are those of the open source to be listed, in order.
func (m *model) sessions() []runbook.WhoSession {
	i := slices.IndexFunc(m.look.Sources, func(s runbook.Source) bool { return keyOf(s) == m.open })
	if i < 0 {
		return nil
	}
	list := slices.DeleteFunc(m.sessionsOf(m.look.Sources[i]), func(s runbook.WhoSession) bool {
		return !m.matches(strconv.Itoa(s.PID), string(s.State), s.Database, s.Role, s.ApplicationName, s.Query)
	})
	order := sessionSorts[m.table.sessionSort]
	slices.SortStableFunc(list, func(a, b runbook.WhoSession) int { return order.compare(m, a, b) })
	return list
}

// sessionsOf are those of a source, idle ones only where that is asked for.
func (m *model) sessionsOf(src runbook.Source) []runbook.WhoSession {
	of := make(map[pgops.SessionID]bool, len(src.Members))
	for _, id := range src.Members {
		of[id] = true
	}
	return slices.DeleteFunc(slices.Clone(m.look.Sessions), func(s runbook.WhoSession) bool {
		return !of[s.ID()] || m.idleOnly && s.State != pgops.StateIdle
	})
}

func (m *model) matches(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(m.filter)) })
}

// rows is how many there are, and the place of the chosen one, -1 when it is
// not among them.
func (m *model) rows() (n, chosen int) {
	if m.open != "" {
		list := m.sessions()
		return len(list), slices.IndexFunc(list, func(s runbook.WhoSession) bool { return s.ID() == m.table.session })
	}
	list := m.sources()
	return len(list), slices.IndexFunc(list, func(s runbook.Source) bool { return keyOf(s) == m.table.source })
}

func (m *model) choose(i int) {
	if m.open != "" {
		m.table.session = m.sessions()[i].ID()
	} else {
		m.table.source = keyOf(m.sources()[i])
	}
}

// keepSelection chooses the first row where nothing was chosen yet, or what
// was chosen is gone.
func (m *model) keepSelection() {
	if n, chosen := m.rows(); n > 0 && (chosen < 0 || !m.table.moved) {
		m.choose(0)
	}
}

func (m *model) move(by int) {
	n, chosen := m.rows()
	if n > 0 {
		m.table.moved = true
		m.choose(min(max(chosen+by, 0), n-1))
	}
}

// window is the first row to show so that the chosen one is among them.
func (t *table) window(n, chosen int) (from, to int) {
	t.top = min(max(t.top, chosen-t.height+1, 0), max(chosen, 0), max(0, n-t.height))
	return t.top, min(n, t.top+t.height)
}

func (m *model) selectedSource() (runbook.Source, bool) {
	list := m.sources()
	_, chosen := m.rows()
	if chosen < 0 {
		return runbook.Source{}, false
	}
	return list[chosen], true
}

func (m *model) selectedSession() (runbook.WhoSession, bool) {
	list := m.sessions()
	_, chosen := m.rows()
	if chosen < 0 {
		return runbook.WhoSession{}, false
	}
	return list[chosen], true
}

func (m *model) nextSort() {
	if m.open != "" {
		m.table.sessionSort = (m.table.sessionSort + 1) % len(sessionSorts)
		m.say("sorted by %s", sessionSorts[m.table.sessionSort].name)
		return
	}
	m.table.sourceSort = (m.table.sourceSort + 1) % len(sourceSorts)
	m.say("sorted by %s", sourceSorts[m.table.sourceSort].name)
}
