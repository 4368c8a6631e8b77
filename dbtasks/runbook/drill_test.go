package runbook_test

import (
	"os"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestTheDrillFillsAServerAndRecoversIt(t *testing.T) {
	t.Parallel()
	pgtest.Binaries(t)
	var lines []string
	r, err := outsideAProject(t).Drill(ctx, runbook.DrillOptions{Slots: 100}, func(e runbook.DrillEvent) { lines = append(lines, e.Text) })
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Leaked != r.Cleanup.Ended+r.Cleanup.Freed || !strings.Contains(r.Words, "53300") || r.Leaked+r.Reserved != 100 {
		t.Errorf("%+v\n%s", r, strings.Join(lines, "\n"))
	}
	_, err = outsideAProject(t).Drill(ctx, runbook.DrillOptions{Slots: 3}, nil)
	failure(t, err, "usage", runbook.ExitSettings)
}

func outsideAProject(t *testing.T) *runbook.Runbook {
	t.Helper()
	rb, err := runbook.OpenWith("", runbook.OpenOptions{NoProject: true, Environ: []string{"PATH=" + os.Getenv("PATH")}})
	if err != nil {
		t.Fatal(err)
	}
	return rb
}
