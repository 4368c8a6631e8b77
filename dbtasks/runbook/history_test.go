package runbook

import (
	"slices"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// seen is a history of used slots, a sample a second; -1: no answer.
func seen(capacity int, used ...int) *History {
	h := &History{capacity: capacity}
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, n := range used {
		s := MonitorSample{OK: n >= 0, Usable: 97, Used: n, Sample: pgops.Sample{Time: begin.Add(time.Duration(i) * time.Second), Sessions: n, Idle: n, Slots: pgops.Slots{Max: 100}}}
		if n < 0 {
			s.Sample = pgops.Sample{Time: s.Time}
		}
		h.add(s)
	}
	return h
}

func TestTheTrendTellsWhenTheServerIsFullAndNothingItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		used           []int
		known          bool
		perMinute      float64
		fullIn, within time.Duration
	}{
		"too few":      {[]int{1, 2, 3}, false, 0, 0, 0},
		"one a second": {[]int{10, 11, 12, 13, 14, 15, 16, 17}, true, 60, 80 * time.Second, time.Second},
		"steady":       {[]int{10, 10, 10, 10, 10, 10}, true, 0, 0, 0},
		"falling":      {[]int{20, 19, 18, 17, 16}, true, -60, 0, 0},
		"gone":         {[]int{10, 11, 12, 13, -1}, false, 0, 0, 0},
		"full":         {[]int{92, 93, 94, 95, 96, 97}, true, 60, 0, 0},
	} {
		perMinute, fullIn, known := seen(0, c.used...).Trend()
		if known != c.known || perMinute < c.perMinute-1 || perMinute > c.perMinute+1 || (fullIn-c.fullIn).Abs() > c.within {
			t.Errorf("%s: %.1f a minute, full in %s, known %v", what, perMinute, fullIn, known)
		}
	}
}

// repeat is each of used so many times.
func repeat(times int, used ...int) (list []int) {
	for _, n := range used {
		list = append(list, slices.Repeat([]int{n}, times)...)
	}
	return list
}

func TestAGrowthThatIsOverIsNoneAndOneBySteps(t *testing.T) {
	t.Parallel()
	burst := repeat(1, 10, 20, 30, 40, 50, 60)
	for what, c := range map[string]struct {
		used  []int
		grows bool
	}{
		"a burst, a moment ago":                 {append(slices.Clone(burst), repeat(5, 60)...), true},
		"a burst, 15 s ago":                     {append(slices.Clone(burst), repeat(15, 60)...), false},
		"a step every 12 s, the last 6 s ago":   {append(repeat(12, 10, 18, 26), repeat(6, 34)...), true},
		"a step every 12 s, the last 20 s ago":  {append(repeat(12, 10, 18, 26), repeat(20, 34)...), true},
		"a step every 12 s, the last 30 s ago":  {append(repeat(12, 10, 18, 26), repeat(30, 34)...), false},
		"ended by somebody else":                {append(slices.Clone(burst), repeat(5, 11)...), false},
		"ended by somebody else, and it begins": {append(slices.Clone(burst), 11, 12, 13, 14, 15, 16), true},
	} {
		perMinute, fullIn, known := seen(0, c.used...).Trend()
		if !known || (perMinute >= leastGrowth) != c.grows || (fullIn > 0) != c.grows {
			t.Errorf("%s: %.1f a minute, full in %s, known %v", what, perMinute, fullIn, known)
		}
	}
}

func TestAfterACleanupTheTrendBeginsAnew(t *testing.T) {
	t.Parallel()
	h := seen(0, 50, 60, 70, 80, 90)
	h.mark(h.Points[4].Time, "90 ended")
	if _, _, known := h.Trend(); known {
		t.Error("it goes on with what was before")
	}
}

func TestALongRunKeepsItsPeaksAndItsTroubles(t *testing.T) {
	t.Parallel()
	used := make([]int, 1000)
	for i := range used {
		used[i] = 10
	}
	used[3], used[700] = 97, 80
	h := seen(100, used...)
	peak, lost := 0, 0
	for i, p := range h.Points {
		peak = max(peak, p.Used())
		if p.Lost {
			lost++
		}
		if i > 0 && !p.Time.After(h.Points[i-1].Time) {
			t.Fatal("the points are out of order")
		}
	}
	if len(h.Points) > 101 || peak != 97 {
		t.Errorf("%d points, peak %d", len(h.Points), peak)
	}
}

func TestWhatHappensIsAnEventOnce(t *testing.T) {
	t.Parallel()
	h := seen(0, 5, -1, -1, -1, 6, 7)
	if len(h.Events) != 2 || h.Events[0].Text != "no answer" || h.Events[1].Text != "back after 3s" {
		t.Errorf("%+v", h.Events)
	}
}
