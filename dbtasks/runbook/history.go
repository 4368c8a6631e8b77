package runbook

import (
	"fmt"
	"slices"
	"time"
)

// History is what a monitor has seen: a point a sample, and what happened.
type History struct {
	Place  Place
	Warn   int // sessions of the database at which a run counts as failed; 0: none
	Usable int // 0 while no login was ever answered
	Max    int
	Points []Point // oldest first
	Events []Event

	trendFrom time.Time // the trend looks no further back: something was done about it then
	capacity  int       // for tests; 0: pointCapacity
}

// Point is one sample. The first five add up to the used slots.
type Point struct {
	Time          time.Time
	Idle          int // of the watched database, as the next three
	Active        int
	InTransaction int
	Other         int
	Elsewhere     int  // sessions of other databases, and the watching one
	Refused       bool // the server let nobody in for want of a slot: all are used, by whom is as it was last
	Lost          bool // no answer: the counts are zero
}

// Event is something that happened to the server while it was watched.
type Event struct {
	Time time.Time
	Text string
}

// Used is all slots that are taken.
func (p Point) Used() int { return p.Idle + p.Active + p.InTransaction + p.Other + p.Elsewhere }

// Sessions is those of the watched database.
func (p Point) Sessions() int { return p.Idle + p.Active + p.InTransaction + p.Other }

// pointCapacity bounds the memory of a run without an end: 10 minutes at 10 a
// second fit in full.
const pointCapacity = 6000

func (h *History) add(s MonitorSample) {
	p := Point{Time: s.Time, Idle: s.Idle, Active: s.Active, InTransaction: s.InTransaction, Other: s.Other, Refused: s.Refused, Lost: !s.OK}
	if s.OK {
		p.Elsewhere = max(0, s.Used-s.Sessions)
	}
	if s.Usable > 0 {
		h.Usable, h.Max = s.Usable, max(h.Max, s.Slots.Max)
	}
	h.note(p)
	h.Points = append(h.Points, p)
	limit := h.capacity
	if limit == 0 {
		limit = pointCapacity
	}
	if len(h.Points) > limit {
		h.thin(limit / 2)
	}
}

// last is a copy with the points of the last window; 0: with all.
func (h *History) last(window time.Duration) History {
	c := *h
	from := 0
	if n := len(h.Points); window > 0 && n > 0 {
		from = h.pointAt(h.Points[n-1].Time.Add(-window))
	}
	c.Points, c.Events = slices.Clone(h.Points[from:]), slices.Clone(h.Events)
	return c
}

// thin merges pairs of the oldest points: of each pair the fuller one stays,
// with what went wrong in either.
func (h *History) thin(oldest int) {
	kept := h.Points[:0]
	for i := 0; i+1 < oldest; i += 2 {
		a, b := h.Points[i], h.Points[i+1]
		if b.Used() > a.Used() || a.Lost && !b.Lost {
			b.Refused = a.Refused || b.Refused
			kept = append(kept, b)
		} else {
			a.Refused = a.Refused || b.Refused
			kept = append(kept, a)
		}
	}
	h.Points = append(kept, h.Points[oldest-oldest%2:]...)
}

// note records what is new at p.
func (h *History) note(p Point) {
	var last Point
	if len(h.Points) > 0 {
		last = h.Points[len(h.Points)-1]
	}
	switch {
	case p.Lost && !last.Lost:
		h.mark(p.Time, "no answer")
	case !p.Lost && last.Lost:
		since := p.Time
		for i := len(h.Points) - 1; i >= 0 && h.Points[i].Lost; i-- {
			since = h.Points[i].Time
		}
		h.mark(p.Time, fmt.Sprintf("back after %s", p.Time.Sub(since).Round(time.Second)))
	case p.Refused && !last.Refused:
		h.mark(p.Time, "full: logins refused")
	}
}

// mark records an event after which the trend begins anew.
func (h *History) mark(at time.Time, text string) {
	h.Events = append(h.Events, Event{at, text})
	h.trendFrom = at
}

// trendWindow is how far back the trend looks, trendSpan the least time that
// its samples have to cover.
const trendWindow, trendSpan = time.Minute, 3 * time.Second

// Trend is the change of used slots a minute, by least squares over the last
// minute, and when the server is full at that rate; fullIn is 0 where that is
// not in sight. known is false before there are enough samples to tell.
func (h *History) Trend() (perMinute float64, fullIn time.Duration, known bool) {
	if len(h.Points) == 0 {
		return 0, 0, false
	}
	last := h.Points[len(h.Points)-1]
	from := h.trendSince(last.Time.Add(-trendWindow))
	var n, sumX, sumY, sumXX, sumXY float64
	first := last.Time
	for i := len(h.Points) - 1; i >= 0 && !h.Points[i].Time.Before(from); i-- {
		p := h.Points[i]
		if p.Lost {
			continue
		}
		first = p.Time
		x, y := p.Time.Sub(last.Time).Minutes(), float64(p.Used())
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	spread := n*sumXX - sumX*sumX
	if n < 3 || last.Lost || last.Time.Sub(first) < trendSpan || spread <= 0 {
		return 0, 0, false
	}
	perMinute = (n*sumXY - sumX*sumY) / spread
	if left := h.Usable - last.Used(); perMinute >= leastGrowth && left > 0 {
		fullIn = time.Duration(float64(left) / perMinute * float64(time.Minute))
	}
	return perMinute, fullIn, true
}

// trendSince is the time from which the samples tell where it goes now, not
// before from: the last event, the last time that many were ended, or the end of
// a growth that is over.
func (h *History) trendSince(from time.Time) time.Time {
	if h.trendFrom.After(from) {
		from = h.trendFrom
	}
	points := slices.DeleteFunc(slices.Clone(h.Points[h.pointAt(from):]), func(p Point) bool { return p.Lost })
	var rose, since time.Time
	longest := leastPause
	for i := 1; i < len(points); i++ {
		before, p := points[i-1], points[i]
		switch {
		case fell(before.Used(), p.Used()):
			rose, since, longest = time.Time{}, p.Time, leastPause
		case p.Used() > before.Used():
			if !rose.IsZero() {
				longest = max(longest, 2*p.Time.Sub(rose))
			}
			rose = p.Time
		}
	}
	if since.After(from) {
		from = since
	}
	if n := len(points); n > 0 && rose.After(from) && points[n-1].Time.Sub(rose) > longest {
		from = rose
	}
	return from
}

// leastPause is how long nothing has to be added until a growth is over; one
// that goes by steps has twice the longest time between two of them.
const leastPause = 10 * time.Second

// fell tells whether so many sessions are gone at once that they were ended.
func fell(before, after int) bool { return before-after >= max(3, before/5) }

// pointAt is the first point that is not before a time.
func (h *History) pointAt(t time.Time) int {
	i, _ := slices.BinarySearchFunc(h.Points, t, func(p Point, t time.Time) int { return p.Time.Compare(t) })
	return i
}

// leastGrowth is the change of slots a minute below which nothing is said to
// grow.
const leastGrowth = 0.5
