package screen

import (
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
)

// Check shows the prevention checklist: the outcome, what is wrong with the
// line to write, and then the rest in one line an item.
func (p *Printer) Check(r checklist.Report) {
	p.outcome(r.OK && r.CantTell == 0, "%s", checkOutcome(r))
	marks := map[checklist.Verdict]string{checklist.OK: "ok   ", checklist.Wrong: "WRONG", checklist.CantTell: "?    "}
	for _, item := range r.Items {
		if noClient(r) && item.Verdict == checklist.CantTell {
			continue
		}
		summary := item.Summary
		if summary != "" {
			summary = ": " + summary
		}
		p.line("%s %d. %s%s", marks[item.Verdict], item.Number, item.Name, summary)
		for _, f := range item.Findings {
			p.finding(f)
		}
	}
}

func (p *Printer) finding(f checklist.Finding) {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	unsure := ""
	switch {
	case f.Verdict == checklist.CantTell && !strings.Contains(f.Problem, "can't be"):
		unsure = "can't tell: "
	case f.Verdict == checklist.Advice:
		unsure = "advice: "
	}
	p.line("        %s: %s%s", place, unsure, f.Problem)
	if f.Why != "" {
		p.line("          why:   %s", f.Why)
	}
	if f.Write != "" {
		p.line("          write: %s", f.Write)
	}
}

// noClient: most items have the one reason that there is nothing to look at.
func noClient(r checklist.Report) bool { return r.NoClient != "" }

func checkOutcome(r checklist.Report) string {
	var wrong, unsure []string
	for _, item := range r.Items {
		switch item.Verdict {
		case checklist.Wrong:
			wrong = append(wrong, item.Name)
		case checklist.CantTell:
			unsure = append(unsure, item.Name)
		}
	}
	switch {
	case len(wrong) > 0:
		return fmt.Sprintf("%d of %d wrong: %s.", len(wrong), len(r.Items), strings.Join(wrong, ", "))
	case noClient(r):
		return "Can't tell: " + r.NoClient + "."
	case len(unsure) > 0:
		return fmt.Sprintf("Nothing wrong, but %d of %d can't be told: %s.", len(unsure), len(r.Items), strings.Join(unsure, ", "))
	}
	return fmt.Sprintf("OK: all %d items (%d files read in %d ms).", len(r.Items), r.Files, r.TookMS)
}
