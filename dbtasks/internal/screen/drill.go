package screen

import "github.com/pgrunbook/pgrunbook/dbtasks/runbook"

// Drill shows one line of the rehearsal with the time since it began.
func (p *Printer) Drill(e runbook.DrillEvent) { p.line("%6.2f s  %s", e.At.Seconds(), e.Text) }

// Drilled shows the outcome.
func (p *Printer) Drilled(r runbook.DrillReport) {
	if r.OK {
		p.outcome(true, "Drill passed: a full server was recovered in %d ms without a restart (%s, %.1f s in all).", r.Cleanup.ElapsedMS, r.Binaries, r.Took.Seconds())
		return
	}
	p.outcome(false, "Drill not wholly passed: %d sessions leaked, %d ended.", r.Leaked, r.Cleanup.Ended)
}
