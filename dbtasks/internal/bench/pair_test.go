//go:build unix

package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// side is one way to do a job. It returns what the job cost: seconds of wall
// time, or of processor time, or what else the pair is about.
type side struct {
	name string
	run  func(b *testing.B) float64
}

// pair is the same job done in two ways, in turn and in one run, so that the
// machine's noise is in both.
type pair struct {
	name   string // of the sub-benchmark: "cleanup/20"
	job    string // as the table has it
	rounds int
	before func(b *testing.B) // makes what both find, before each of the two
	after  func(b *testing.B) // checks that the job is done and tidies up
	ours   side
	theirs side
	// floor is what nobody can be faster than: the server's or the kernel's own
	// time for the job. Optional.
	floor *side
	aim   float64 // the ratio that was aimed at
	// lost is the ratio from which a gain counts as lost and the benchmark
	// fails: what was reached, and room for noise.
	lost float64
	note func() string // what else was seen
	why  string        // what stands in the way of the aim and what was tried; written where it is not met
}

// result is a pair, measured.
type result struct {
	pair
	oursMedian, theirsMedian, floorMedian float64
	ratio, low, high                      float64 // the median of the rounds' ratios, and their quartiles
}

// measure runs a pair's rounds. Which side is first changes from round to round.
func measure(b *testing.B, p pair) result {
	b.Helper()
	var ours, theirs, floor, ratios []float64
	once := func(s side) float64 {
		if p.before != nil {
			p.before(b)
		}
		cost := s.run(b)
		if p.after != nil {
			p.after(b)
		}
		return cost
	}
	for round := range p.rounds {
		var a, t float64
		if round%2 == 0 {
			a = once(p.ours)
			t = once(p.theirs)
		} else {
			t = once(p.theirs)
			a = once(p.ours)
		}
		ours, theirs, ratios = append(ours, a), append(theirs, t), append(ratios, a/t)
		if p.floor != nil {
			floor = append(floor, once(*p.floor))
		}
	}
	r := result{pair: p, oursMedian: quantile(ours, 0.5), theirsMedian: quantile(theirs, 0.5), floorMedian: quantile(floor, 0.5)}
	r.ratio, r.low, r.high = quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75)
	b.ReportMetric(r.ratio, "ratio")
	b.ReportMetric(0, "ns/op") // the ratio is the figure; this leaves the other one out
	if p.lost > 0 && r.ratio > p.lost {
		b.Errorf("%s: %.2f of %s, and it was below %.2f: a gain is lost", p.name, r.ratio, p.theirs.name, p.lost)
	}
	return r
}

// quantile interpolates between the two nearest values; 0 without any.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// command is a side that runs a program to its end; it counts from the fork to
// the exit.
type command struct {
	args []string
	dir  string
	env  []string // beside the environment without our settings
	exit int      // the exit code that is right
}

func (c command) prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "DIRECT_URL=") || strings.HasPrefix(v, "DBTASKS_") || strings.HasPrefix(v, "PG")
	}), c.env...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func (c command) run(b *testing.B) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	cmd := c.prepare(ctx)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if code := cmd.ProcessState.ExitCode(); code != c.exit {
		b.Fatalf("%s: exit %d, not %d: %v\n%s", strings.Join(c.args, " "), code, c.exit, err, said.String())
	}
	return took.Seconds()
}

func (c command) side(name string) side { return side{name, c.run} }

// seconds prints a duration with three digits.
func seconds(s float64) string {
	switch {
	case s < 0.0995:
		return fmt.Sprintf("%.1f ms", s*1000)
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", s*1000)
	default:
		return fmt.Sprintf("%.2f s", s)
	}
}
