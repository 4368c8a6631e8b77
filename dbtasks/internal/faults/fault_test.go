//go:build linux

package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// fault is one row of the table.
type fault struct {
	name   string
	inject func(*scene)         // before the tool runs; nil: nothing
	args   string               // of the tool, split at blanks
	act    func(*scene) outcome // instead of one run with args
	exit   int
	says   string        // in what the tool prints
	bound  time.Duration // of the tool's run; 0: 30 s
	memory int64         // of the tool's run, in bytes; 0: not looked at
	after  func(*scene)  // further checks
	as     who           // that the tool runs as
}

// mostMemory is what a run may have resident at a time, in bytes, whatever the
// server sends and whatever lies in the project.
const mostMemory = 64 << 20

// groups are the tables of the files of this package.
var groups = []struct {
	name   string
	faults []fault
}{
	{"server", serverFaults},
	{"slots", slotFaults},
	{"impostor", impostorFaults},
	{"login", loginFaults},
	{"network", networkFaults},
	{"process", processFaults},
	{"signal", signalFaults},
	{"killed", killedFaults},
	{"verify", verifyFaults},
	{"init", initFaults},
	{"files", fileFaults},
	{"between", betweenFaults},
	{"space", spaceFaults},
	{"several", severalFaults},
	{"superuser", superuserFaults},
	{"setting", settingFaults},
	{"madness", madnessFaults},
	{"spared", sparedFaults},
	{"readonly", readOnlyFaults},
	{"neighbour", neighbourFaults},
	{"escape", escapeFaults},
}

// TestFaults runs every row with a project, an environment and bystanders of
// its own, and prints the table when all are over.
func TestFaults(t *testing.T) {
	common = pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 100})
	spare.list = nil
	bystanders = common.NewDatabase().Open(2, "bystander")
	watch := watchCommandLines(t)
	t.Cleanup(func() { printTable(t); watch.stop(t) })
	for _, g := range groups {
		for _, f := range g.faults {
			t.Run(g.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				play(t, g.name, f)
			})
		}
	}
}

// play is one row, from the scene's making to what is left of it.
func play(t *testing.T, group string, f fault) {
	r := &row{group: group, fault: f.name, target: f.args}
	defer record(r)
	defer func() {
		switch {
		case t.Skipped():
			r.verdict = "skipped"
		case t.Failed():
			r.verdict = "FAIL"
		default:
			r.verdict = "pass"
		}
	}()
	s := newScene(t, r, f.as.account(t))
	if strings.HasPrefix(f.args, "dev:stop") || group == "init" {
		s.at(1) // these log in nowhere
	}
	if f.inject != nil {
		f.inject(s)
	}
	s.environ() // made before several may ask for it at once
	s.handOver()
	began := time.Now()
	var o outcome
	if f.act != nil {
		o = f.act(s)
	} else {
		o = s.run(strings.Fields(f.args)...)
	}
	r.took, r.exit, r.said = time.Since(began), o.code, o.said(f.says)
	bound := f.bound
	if bound == 0 {
		bound = 30 * time.Second // a few seconds' work, on a busy machine
	}
	if r.took > bound {
		t.Errorf("took %s, more than %s", r.took, bound)
	}
	if f.memory > 0 && o.memory > f.memory {
		t.Errorf("took %d MB of memory, more than %d", o.memory>>20, f.memory>>20)
	}
	if o.code != f.exit || !strings.Contains(o.stdout+o.stderr, f.says) {
		t.Errorf("want exit %d and %q, got %s", f.exit, f.says, o)
	}
	if f.after != nil {
		f.after(s)
	}
	s.nothingLeft()
	s.giveBack()
}
