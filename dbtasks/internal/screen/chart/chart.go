// Package chart draws connections over time, or over reloads, as one
// self-contained SVG: no script, no font, no file beside it. It follows the
// reader's light or dark scheme.
//
// It is written here because a chart library weighs more than what it is for:
// github.com/go-analyze/charts 0.6.4 makes a small program 3.6 MB larger and
// takes 7 s of processor time at the first build (measured on 2 cores), most
// of it fonts, and knows no time axis.
package chart

import (
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Chart is stacked series over an axis, with limits and events.
type Chart struct {
	Title  string
	Note   string // a line below the title
	Unit   string // of the values, as the y axis' name
	Axis   string // the x axis' name
	Mark   string // what a red cross says
	Series []Series
	Points []Point // by X, ascending
	Limits []Limit
	Events []Event
	// Label names a place on the x axis, which is in seconds then; nil: the
	// axis counts, and its places are named by their number.
	Label func(x float64) string
}

// Series is one band; the first is at the bottom.
type Series struct {
	Name        string
	Light, Dark string // its colour, as CSS writes it
}

// Point has a value for each series. A gap has none: nothing is drawn there.
type Point struct {
	X      float64
	Values []float64
	Gap    bool
	Marked bool // a red cross on top
}

// Limit is a horizontal line.
type Limit struct {
	Name  string
	Value float64
	Warn  bool // of the warning's colour and not of the limit's
}

// Event is a vertical line.
type Event struct {
	X    float64
	Text string
}

// OfHistory is what a monitor saw: the used slots by state, over time.
func OfHistory(h runbook.History) Chart {
	c := Chart{
		Title: "Connections of database " + h.Place.Database + " at " + h.Place.At(),
		Unit:  "sessions", Axis: "time", Mark: "login refused",
		Series: []Series{
			{"idle", "#2563eb", "#60a5fa"},
			{"active", "#15803d", "#4ade80"},
			{"in transaction", "#c2410c", "#fb923c"},
			{"other", "#7e22ce", "#c084fc"},
			{"other databases and this monitor", "#9ca3af", "#6b7280"},
		},
	}
	if len(h.Points) == 0 {
		return c
	}
	begin := h.Points[0].Time
	midnight := time.Date(begin.Year(), begin.Month(), begin.Day(), 0, 0, 0, 0, begin.Location()) // so that the axis has round times
	x := func(t time.Time) float64 { return t.Sub(midnight).Seconds() }
	peak := h.Points[0]
	for _, p := range h.Points {
		point := Point{X: x(p.Time), Gap: p.Lost, Marked: p.Refused,
			Values: []float64{float64(p.Idle), float64(p.Active), float64(p.InTransaction), float64(p.Other), float64(p.Elsewhere)}}
		if p.Refused && p.Used() == 0 {
			point.Values[3] = float64(h.Usable) // full, and by what nobody could say
		}
		c.Points = append(c.Points, point)
		if p.Used() > peak.Used() {
			peak = p
		}
	}
	last := h.Points[len(h.Points)-1].Time
	c.Note = begin.Format("2006-01-02 15:04:05") + " to " + last.Format("15:04:05 MST") + ", peak " + number(float64(peak.Used())) + " of " + number(float64(h.Usable)) + " usable slots"
	c.Label = func(x float64) string {
		return midnight.Add(time.Duration(x * float64(time.Second))).Format("15:04:05")
	}
	if h.Usable > 0 {
		c.Limits = append(c.Limits, Limit{Name: "usable", Value: float64(h.Usable)})
		if h.Max > h.Usable {
			c.Limits = append(c.Limits, Limit{Name: "max_connections", Value: float64(h.Max)})
		}
	}
	if h.Warn > 0 {
		c.Limits = append(c.Limits, Limit{Name: "warn", Value: float64(h.Warn), Warn: true})
	}
	for _, e := range h.Events {
		c.Events = append(c.Events, Event{x(e.Time), e.Text})
	}
	return c
}

// OfReloads is what dev:verify counted: sessions after each reload.
func OfReloads(r runbook.VerifyReport) Chart {
	note := ""
	if len(r.Reloads) > 0 {
		note = r.Headline()
	}
	c := Chart{Title: "Sessions after each hot reload", Unit: "sessions", Axis: "reload", Mark: "request failed", Note: note,
		Series: []Series{{"of the dev server", "#2563eb", "#60a5fa"}}}
	for i, reload := range r.Reloads {
		c.Points = append(c.Points, Point{X: float64(i + 1), Values: []float64{float64(reload.Sessions)}, Marked: reload.Failed > 0})
	}
	if r.Usable > 0 {
		c.Limits = append(c.Limits, Limit{Name: "usable", Value: float64(r.Usable)})
	}
	return c
}
