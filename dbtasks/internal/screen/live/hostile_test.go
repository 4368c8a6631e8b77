package live

import (
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// hostilePlace is an engine whose database's name a terminal would obey.
type hostilePlace struct{ *recorded }

func (hostilePlace) Place() runbook.Place {
	return runbook.Place{Host: hostileName, Database: hostileName}
}
func (hostilePlace) Version() string { return hostileName }

const hostileName = "x\x1b]0;PWNED\a\x1b[2J\u009b31m\r\n\u202egnp\u200b\x7f"

func TestNothingThatOthersWroteReachesTheScreenUnseen(t *testing.T) {
	t.Parallel()
	m, r := scene(t, Options{}, 160, 50)
	m.engine = hostilePlace{r}
	l := m.look
	for i := range l.Sources {
		s := &l.Sources[i]
		s.Command, s.Dir, s.Project = hostileName, hostileName, hostileName
		s.Applications, s.Roles, s.Databases = []string{hostileName}, []string{hostileName}, []string{hostileName}
	}
	for i := range l.Sessions {
		s := &l.Sessions[i]
		s.ApplicationName, s.Role, s.Database, s.Query, s.ClientAddr = hostileName, hostileName, hostileName, hostileName, hostileName
	}
	shown := func(what string) {
		t.Helper()
		m.drawn = ""
		for _, line := range m.lines() {
			for _, c := range ansi.Strip(line) {
				if !unicode.IsPrint(c) {
					t.Errorf("%s: %U on the screen: %q", what, c, ansi.Strip(line))
				}
			}
			// What is not text may only be colour: ESC [ … m.
			for _, part := range strings.Split(line, "\x1b")[1:] {
				if end := strings.IndexFunc(part[1:], unicode.IsLetter); part[0] != '[' || end < 0 || part[1+end] != 'm' {
					t.Errorf("%s: the sequence ESC %.12q reaches the terminal", what, part)
				}
			}
		}
		if title := m.View().WindowTitle; strings.ContainsFunc(title, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%s: the window's title is %q", what, title)
		}
	}
	m.Update(lookMsg{look: l})
	shown("sources")
	press(t, m, "enter")
	shown("sessions")
	press(t, m, "esc")
	m.fail(&runbook.Failure{Message: hostileName, Next: hostileName})
	shown("a failure")
	l.OK, l.Message = false, hostileName
	m.Update(lookMsg{look: l})
	shown("no answer")
}
