package screen

import (
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Stop shows what was stopped.
func (p *Printer) Stop(r runbook.StopReport) {
	switch {
	case len(r.Plan) == 0:
		p.outcome(true, "Nothing to stop: no dev server of %s runs.", r.Root)
	case r.Dry:
		p.outcome(true, "Would stop %s of %s; nothing was touched.", plural(len(r.Plan), "process"), r.Root)
	case r.OK:
		p.outcome(true, "Stopped %s of %s, all gone, in %d ms.", plural(r.Gone, "process"), r.Root, r.TookMS)
	case len(r.CameBack) > 0:
		p.outcome(false, "Stopped %s of %s, and %s came back.", plural(r.Gone, "process"), r.Root, plural(len(r.CameBack), "process"))
	default:
		p.outcome(false, "Stopped %d of %s of %s.", r.Gone, plural(len(r.Plan), "process"), r.Root)
	}
	for _, item := range r.Plan {
		p.line("  %s: %s%s", p.item(item), item.Reason, supervised(item))
	}
	for _, left := range r.Left {
		p.line("  %s: %s: %s", left.Result, p.item(left.StopItem), left.Detail)
	}
	for _, item := range r.CameBack {
		p.line("  came back: %s: %s%s", p.item(item), item.Reason, supervised(item))
	}
	for _, item := range r.Databases {
		p.line("  left running: %s: %s", p.item(item), item.Reason)
	}
	for _, item := range r.Holders {
		p.line("  holds connections: %s: %s; to end it: kill %d", p.item(item), item.Reason, item.PID)
	}
	for _, item := range r.NotJudged {
		p.line("  not stopped: %s: %s; if it is yours: kill %d", p.item(item), item.Reason, item.PID)
	}
	for _, item := range r.Spared {
		p.line("  left alone: %s: %s", p.item(item), item.Reason)
	}
	if !r.Dry {
		p.next(r.Next)
	}
}

// supervised says who brings a process back, where that is known.
func supervised(item runbook.StopItem) string {
	if item.Supervisor == "" {
		return ""
	}
	return "; to stop it: " + item.Supervisor
}

func (p *Printer) item(i runbook.StopItem) string {
	var b strings.Builder
	if i.Command != "" {
		b.WriteString(i.Command + " ")
	}
	var parts []string
	if i.PID > 0 {
		parts = append(parts, fmt.Sprintf("pid %d", i.PID))
	}
	for _, port := range i.Ports {
		parts = append(parts, fmt.Sprintf("port %d", port))
	}
	b.WriteString("(" + strings.Join(parts, ", ") + ")")
	return b.String()
}

// Start shows how the dev server ended.
func (p *Printer) Start(r runbook.StartReport) {
	why := ""
	if r.Ended != "" {
		why = ": " + r.Ended
	}
	if r.OK && r.Ended != "" {
		p.outcome(true, "The dev server on port %d was ended%s.", r.Port, why)
	} else {
		p.outcome(r.OK, "The dev server on port %d ended with exit code %d%s.", r.Port, r.ExitCode, why)
	}
	for _, item := range r.Left {
		p.line("  left: %s: %s", p.item(item), item.Reason)
	}
}

// DevTest shows what the tests left behind.
func (p *Printer) DevTest(r runbook.DevTestReport) {
	verdict := "passed"
	if r.ExitCode != 0 {
		verdict = fmt.Sprintf("failed with exit code %d", r.ExitCode)
	}
	p.outcome(r.OK, "The tests %s in %.1f s and left %s behind.", verdict, float64(r.TookMS)/1000, plural(len(r.Sessions), "session"))
	p.sessions("left behind", r.Sessions)
}

// Plan shows dev:recover's plan before it is applied.
func (p *Printer) Plan(r runbook.RecoverReport) {
	title := "Recovering"
	if r.Dry {
		title = "Plan (nothing was touched) for"
	}
	p.line("%s %s", title, r.Target)
	for i, s := range r.Steps {
		skipped := ""
		if s.Status == runbook.StepSkipped {
			skipped = "skipped: "
		}
		p.line("  %d. %-8s %s%s", i+1, s.Name, skipped, s.Plan)
		for _, e := range s.Ends {
			p.line("     a restart ends: %s", e)
		}
	}
	if r.Dry && r.Stop != nil {
		for _, item := range r.Stop.Plan {
			p.line("     would stop %s: %s", p.item(item), item.Reason)
		}
		for _, item := range r.Stop.Databases {
			p.line("     would leave running %s: %s", p.item(item), item.Reason)
		}
	}
}

// Step shows one step that is over.
func (p *Printer) Step(s runbook.Step) {
	mark := map[string]string{runbook.StepDone: "ok  ", runbook.StepSkipped: "skip", runbook.StepFailed: "FAIL"}[s.Status]
	text := s.Result
	if text == "" {
		text = s.Plan
	}
	p.line("%s  %-8s %5d ms  %s", mark, s.Name, s.TookMS, text)
}

// Answers says that the recovery is done, while the dev server runs on.
func (p *Printer) Answers(port int) {
	p.outcome(true, "Recovered: the dev server answers on port %d.", port)
}

// Recover shows the outcome.
func (p *Printer) Recover(r runbook.RecoverReport) {
	if !r.Dry && r.OK && r.Started == nil { // else it was said when the dev server answered
		p.outcome(true, "Recovered.")
		p.next(r.Next)
	}
}
