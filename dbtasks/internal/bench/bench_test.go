//go:build unix

// Package bench measures the runbook against what people would use instead: the
// same job done in two ways, in turn, on a disposable server. "go tool mage
// bench" runs all of it and writes the table of dbtasks/docs/speed.md and the charts beside
// this file; -only=cleanup runs one job and writes nothing.
package bench

import "testing"

var results []result

func record(r result) { results = append(results, r) }

// Benchmark does every job, in two ways where there is a second one, and writes
// down what was seen.
func Benchmark(b *testing.B) {
	for _, job := range []struct {
		name string
		run  func(*testing.B)
	}{
		{"cleanup", cleanups}, {"test", tests}, {"full", fulls}, {"who", holders}, {"startup", startups}, {"stop", stops},
		{"recover", recovers}, {"page", firstPages}, {"monitor", monitors}, {"check", checks}, {"first_use", firstUses}, {"growth", growths},
	} {
		b.Run(job.name, job.run)
	}
	for _, r := range results {
		b.Logf("%s: %.2f (%.2f to %.2f) of %s: %s against %s, aim %.2f", r.name, r.ratio, r.low, r.high, r.theirs.name, seconds(r.oursMedian), seconds(r.theirsMedian), r.aim)
	}
	write(b)
}
