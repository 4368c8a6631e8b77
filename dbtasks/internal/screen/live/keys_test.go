package live

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func small(t *testing.T) (*model, *recorded) {
	t.Helper()
	return scene(t, Options{Environ: []string{"LANG=C.UTF-8"}}, 80, 24)
}

func TestOneLookTellsHowFullHowFastAndWho(t *testing.T) {
	m, _ := small(t)
	contains(t, m, "43 of 97 usable slots (44 %), growing 10 a minute, full in about 5 min", "LEAK: 33 held, 33 idle, +10 within a minute: node vite dev (pid 4242, /srv/shop", "▲10", "34 idle", "2 active", "1 in transaction")
}

func TestAnEndIsPlannedAskedForAndOnlyThenDone(t *testing.T) {
	m, r := small(t)
	r.reports = []runbook.CleanupReport{planOf(27, false), planOf(27, false)}
	press(t, m, "c")
	contains(t, m, `End 27 idle sessions of database "shop" at localhost:5432?`, "27 held by node vite dev", "any other key")
	if len(r.asked) != 1 || !r.asked[0].Dry || r.asked[0].Force {
		t.Fatalf("before the answer: %+v", r.asked)
	}
	press(t, m, "y")
	if len(r.asked) != 2 || r.asked[1].Dry || r.asked[1].Force || len(r.asked[1].Only) != 27 || r.asked[1].Only[0] != r.reports0().Plan[0].ID() {
		t.Fatalf("after y: %+v", r.asked)
	}
	contains(t, m, "Ended 27 idle sessions, all gone; 60 of 97 usable slots are free.")
}

// reports0 is the plan that the tests of this file answer with.
func (r *recorded) reports0() runbook.CleanupReport { return planOf(27, false) }

func TestEveryKeyButYIsNo(t *testing.T) {
	for _, k := range []string{"n", "enter", "esc", "q", "space", "c", "N"} {
		m, r := small(t)
		r.reports = []runbook.CleanupReport{planOf(3, true)}
		press(t, m, "C")
		contains(t, m, "End ALL 3 sessions")
		press(t, m, k)
		if len(r.asked) != 1 {
			t.Errorf("%s: %+v", k, r.asked)
		}
		contains(t, m, "nothing was ended", "SOURCE")
	}
}

func TestARefusalIsShownWithItsNextCommandAndAnEmptyPlanAsksNothing(t *testing.T) {
	m, r := small(t)
	r.fails = &runbook.Failure{Exit: 3, Code: "refused_remote", Message: "Refused: not this machine's.", Next: "mage db:cleanup -remote=shop"}
	press(t, m, "c")
	contains(t, m, "Refused: not this machine's. Next: mage db:cleanup -remote=shop")
	r.fails, r.reports = nil, []runbook.CleanupReport{planOf(0, false)}
	press(t, m, "c")
	contains(t, m, `No idle session of database "shop" to end.`)
	if m.question != nil {
		t.Error("it asks")
	}
}

func TestMarkedSessionsAloneAreEndedAndOtherDatabasesCannotBeMarked(t *testing.T) {
	m, r := small(t)
	press(t, m, "x")
	contains(t, m, "nothing is marked")
	press(t, m, "down", "space")
	contains(t, m, `only sessions of database "shop" can be ended here`)
	press(t, m, "G", "enter", "space", "down", "space") // the worker's oldest, and its third
	contains(t, m, "4 sessions of node worker.js", "2 marked")
	r.reports = []runbook.CleanupReport{planOf(2, true), planOf(2, true)}
	press(t, m, "x", "y")
	if len(r.asked) != 2 || !r.asked[0].Force || len(r.asked[0].Only) != 2 {
		t.Fatalf("%+v", r.asked)
	}
	pids := []int{r.asked[0].Only[0].PID, r.asked[0].Only[1].PID}
	slices.Sort(pids)
	if !slices.Equal(pids, []int{1001, 1003}) {
		t.Errorf("marked %v", pids)
	}
	if len(m.marked) != 0 {
		t.Error("they are marked still")
	}
}

func TestWhatIsGoneIsNotMarkedAnyMore(t *testing.T) {
	m, _ := small(t)
	press(t, m, "space") // all of the leak
	if len(m.marked) != 33 {
		t.Fatalf("%d marked", len(m.marked))
	}
	m.Update(lookMsg{look: leaking(m.now(), 3)})
	if len(m.marked) != 3 {
		t.Errorf("%d marked after all but 3 are gone", len(m.marked))
	}
	press(t, m, "G", "space")
	if len(m.marked) != 0 {
		t.Errorf("%d marked after unmarking", len(m.marked))
	}
}

func TestFilterIdleOnlyAndSortChangeWhatIsListed(t *testing.T) {
	m, _ := small(t)
	press(t, m, "/", "b", "l", "x", "backspace", "o", "enter")
	if list := m.sources(); len(list) != 1 || list[0].Applications[0] != "blog" {
		t.Errorf("%+v", list)
	}
	contains(t, m, "filter: blo")
	press(t, m, "esc")
	if len(m.sources()) != 3 {
		t.Error("Esc did not drop the filter")
	}
	press(t, m, "s", "s", "s")
	if m.sources()[0].PID != 5151 {
		t.Errorf("the oldest first: %+v", m.sources()[0])
	}
	m.table.sourceSort = 0
	press(t, m, "G", "i", "enter")
	if list := m.sessions(); len(list) != 1 || list[0].State != pgops.StateIdle {
		t.Errorf("idle only: %+v", list)
	}
}

func TestTheIntervalStaysWithinItsStepsAndPauseStopsLooking(t *testing.T) {
	m, _ := small(t)
	m.every = 3 * time.Second
	for range 20 {
		m.step(1)
	}
	if m.every != time.Minute {
		t.Errorf("%s", m.every)
	}
	m.step(-1)
	if m.every != 30*time.Second {
		t.Errorf("%s", m.every)
	}
	for range 20 {
		m.step(-1)
	}
	if m.every != 250*time.Millisecond {
		t.Errorf("%s", m.every)
	}
	m.every = 3 * time.Second
	if m.step(1); m.every != 5*time.Second {
		t.Errorf("the next above 3 s: %s", m.every)
	}
	m.every = 3 * time.Second
	if m.step(-1); m.every != 2*time.Second {
		t.Errorf("the next below 3 s: %s", m.every)
	}
	press(t, m, "p")
	contains(t, m, "PAUSED")
	if _, cmd := m.Update(tickMsg(m.tick)); cmd != nil {
		t.Error("it looks while it is paused")
	}
	press(t, m, "p")
	if m.paused {
		t.Error("it is paused still")
	}
}

func TestAnOldTimerDoesNotAddLooks(t *testing.T) {
	m, _ := small(t)
	old := m.tick
	m.step(1)
	if _, cmd := m.Update(tickMsg(old)); cmd != nil {
		t.Error("the timer from before the step made it look")
	}
	if _, cmd := m.Update(tickMsg(m.tick)); cmd == nil {
		t.Error("the timer that counts did not")
	}
	if _, cmd := m.Update(tickMsg(m.tick)); cmd != nil {
		t.Error("two looks at a time")
	}
}

func TestAServerThatIsGoneIsShownSinceWhenAndItsReturnToo(t *testing.T) {
	m, _ := small(t)
	gone := runbook.Look{}
	gone.Time, gone.DownMS, gone.Message = m.now(), 8000, "Nothing accepts connections."
	m.Update(lookMsg{look: gone})
	contains(t, m, "NO ANSWER for 8 s, since 12:02:50: Nothing accepts connections.", "SOURCE, as it was before")
	if strings.Contains(text(m), "LEAK") {
		t.Error("a leak of a server that is gone")
	}
	m.Update(lookMsg{look: leaking(m.now(), 5)})
	contains(t, m, "15 of 97 usable slots")
}

func TestARefusalIsFull(t *testing.T) {
	m, _ := small(t)
	l := leaking(m.now(), 33)
	l.Refused, l.Percent, l.Message = true, 100, "Every slot is taken."
	m.Update(lookMsg{look: l})
	contains(t, m, "FULL, 100 %: the server refuses logins. Every slot is taken.")
}

func TestQAndCtrlCAndTheEndOfTheRunQuit(t *testing.T) {
	for _, msg := range []tea.Msg{tea.KeyPressMsg{Code: 'q', Text: "q"}, tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}, overMsg{}} {
		m, _ := small(t)
		_, cmd := m.Update(msg)
		if cmd == nil {
			t.Fatalf("%v does nothing", msg)
		}
		if _, quits := cmd().(tea.QuitMsg); !quits {
			t.Errorf("%v does not quit", msg)
		}
	}
}

func TestTheLocaleDecidesTheAlphabet(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    bool
	}{
		{nil, false}, {[]string{"LANG=C"}, false}, {[]string{"LANG=de_DE.UTF-8"}, true}, {[]string{"LANG=C.utf8"}, true},
		{[]string{"LANG=de_DE.UTF-8", "LC_ALL=C"}, false}, {[]string{"LC_ALL=", "LC_CTYPE=en_US.UTF-8"}, true},
	} {
		if got := encodesUTF8(c.environ, false); got != c.want {
			t.Errorf("%v: %v", c.environ, got)
		}
	}
}
