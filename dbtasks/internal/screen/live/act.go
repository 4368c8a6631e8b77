package live

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// act is what a key ends.
type act int

const (
	cleanIdle act = iota // c
	cleanAll             // C
	endMarked            // x
)

// question is a plan that waits for y; anything else is no.
type question struct {
	act     act
	options runbook.CleanupOptions // what y applies
	text    string
	details []string
}

type planMsg struct {
	act    act
	report runbook.CleanupReport
	err    error
}

type doneMsg struct {
	report runbook.CleanupReport
	err    error
}

func (m *model) options(a act) runbook.CleanupOptions {
	o := runbook.CleanupOptions{Force: a != cleanIdle}
	if a == endMarked {
		o.Only = slices.Collect(maps.Keys(m.marked))
	}
	return o
}

// plan has the engine say what would end.
func (m *model) plan(a act) tea.Cmd {
	if m.acting != "" {
		return nil
	}
	if a == endMarked && len(m.marked) == 0 {
		m.complain("nothing is marked: Space marks a session, or all of a source")
		return nil
	}
	o := m.options(a)
	o.Dry = true
	return m.run("looking what would end", o, func(r runbook.CleanupReport, err error) tea.Msg { return planMsg{a, r, err} })
}

// run has the engine work while the screen goes on.
func (m *model) run(what string, o runbook.CleanupOptions, result func(runbook.CleanupReport, error) tea.Msg) tea.Cmd {
	m.acting, m.actFrom = what, m.now()
	ctx, engine := m.ctx, m.engine
	return tea.Batch(second(), func() tea.Msg { return result(engine.Cleanup(ctx, o)) })
}

func (m *model) planned(msg planMsg) tea.Cmd {
	m.acting = ""
	if msg.err != nil {
		m.fail(msg.err)
		return nil
	}
	if len(msg.report.Plan) == 0 {
		m.say("%s", nothing(msg.act, msg.report))
		return nil
	}
	o := m.options(msg.act)
	o.Only = exactly(msg.report.Plan)
	m.question = &question{act: msg.act, options: o, text: ask(msg.act, msg.report), details: details(msg.report)}
	return nil
}

// exactly are the sessions of a plan: what was shown is what is ended. Those
// of which only the title is known, because nobody gets in, have no start to
// be named by; nil then leaves the choice to the statement that ends them.
func exactly(plan []pgops.Session) []pgops.SessionID {
	ids := []pgops.SessionID{}
	for _, s := range plan {
		if s.BackendStart == nil {
			return nil
		}
		ids = append(ids, s.ID())
	}
	return ids
}

// answer takes a key at a question: no is the default.
func (m *model) answer(k string) tea.Cmd {
	q := m.question
	m.question = nil
	if k != "y" && k != "Y" {
		m.say("nothing was ended")
		return nil
	}
	return m.run("ending "+noun(q.act, 2), q.options, func(r runbook.CleanupReport, err error) tea.Msg { return doneMsg{r, err} })
}

// finished reports in a line, and looks at once.
func (m *model) finished(msg doneMsg) tea.Cmd {
	m.acting = ""
	if msg.err != nil {
		m.fail(msg.err)
	} else {
		m.marked = map[pgops.SessionID]bool{}
		ok, text := screen.CleanupOutcome(msg.report)
		text = strings.Replace(text, " of "+msg.report.Target.Named(), "", 1) // stands in the title
		if m.status, m.bad = text, !ok; len(msg.report.CameBack) > 0 {
			m.status += fmt.Sprintf(" %d came back.", len(msg.report.CameBack))
		}
	}
	if m.looking {
		return nil
	}
	return m.lookNow()
}

func (m *model) fail(err error) {
	f := runbook.AsFailure(err)
	m.complain("%s", f.Message)
	if f.Next != "" {
		m.status += " Next: " + f.Next
	}
}

func noun(a act, n int) string {
	word := map[act]string{cleanIdle: "idle session", cleanAll: "session", endMarked: "marked session"}[a]
	if n != 1 {
		word += "s"
	}
	return word
}

func ask(a act, r runbook.CleanupReport) string {
	what := fmt.Sprintf("%d %s", len(r.Plan), noun(a, len(r.Plan)))
	if a == cleanAll {
		what = "ALL " + what
	}
	return fmt.Sprintf("End %s of %s at %s?", what, r.Target.Named(), r.Target.At())
}

func nothing(a act, r runbook.CleanupReport) string {
	text := fmt.Sprintf("No %s of %s to end.", noun(a, 1), r.Target.Named())
	if len(r.Spared) > 0 {
		text += fmt.Sprintf(" %d are in use or another run of dbtasks.", len(r.Spared))
	}
	if len(r.Refused) > 0 {
		text += fmt.Sprintf(" This role may not end %d.", len(r.Refused))
	}
	return text
}

// details are the lines below the question.
func details(r runbook.CleanupReport) []string {
	var lines []string
	states := map[pgops.State]int{}
	oldest := time.Duration(0)
	for _, s := range r.Plan {
		states[s.State]++
		oldest = max(oldest, s.Age)
	}
	for _, h := range r.Holders {
		lines = append(lines, fmt.Sprintf("%3d held by %s", h.Count, h.Name()))
	}
	for _, state := range slices.Sorted(maps.Keys(states)) {
		lines = append(lines, fmt.Sprintf("%3d %s", states[state], state))
	}
	lines = append(lines, "the longest in its state for "+screen.Age(oldest))
	if n := len(r.Spared); n > 0 {
		lines = append(lines, fmt.Sprintf("%d are left alone: in use, or another run of dbtasks", n))
	}
	if n := len(r.Refused); n > 0 {
		lines = append(lines, fmt.Sprintf("%d may not be ended by role %q", n, r.Target.Role))
	}
	return lines
}
