package chart

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// The picture's size and the frame of the plot within it, in SVG's units.
const (
	width, height            = 860.0, 420.0
	left, right, top, bottom = 60.0, width - 150, 92.0, height - 64
)

// css gives the colours; the series' own follow as .s0, .s1 ….
const css = `text{font:12px system-ui,sans-serif;fill:#374151}.t{font-size:15px;font-weight:600;fill:#111827}.bg{fill:#fff}.g{stroke:#e5e7eb}.a{stroke:#9ca3af}
.limit{stroke:#dc2626;stroke-dasharray:6 3}.limit-t{fill:#dc2626}.warn{stroke:#d97706;stroke-dasharray:3 3}.warn-t{fill:#b45309}.e{stroke:#6b7280;stroke-dasharray:1 3}.e-t{font-size:11px}.x{stroke:#dc2626;stroke-width:2;fill:none}
`

const darkCSS = `text{fill:#d1d5db}.t{fill:#f9fafb}.bg{fill:#111827}.g{stroke:#374151}.a{stroke:#6b7280}.limit{stroke:#f87171}.limit-t{fill:#f87171}.warn{stroke:#fbbf24}.warn-t{fill:#fbbf24}.x{stroke:#f87171}.e{stroke:#9ca3af}
`

// SVG writes the picture. Its error is the writer's.
func (c Chart) SVG(w io.Writer) error {
	p := &plot{Chart: c}
	p.scale()
	p.begin()
	p.grid()
	p.bands()
	p.limits()
	p.events()
	p.marks()
	p.legend()
	p.line("</svg>")
	_, err := w.Write(p.out.Bytes())
	return err
}

// plot is a chart being drawn.
type plot struct {
	Chart
	out        bytes.Buffer
	minX, maxX float64
	maxY       float64
	stepY      float64
}

func (p *plot) line(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

// scale chooses the axes: y from zero to a round number above all values and
// limits.
func (p *plot) scale() {
	p.minX, p.maxX = 0, 1
	if n := len(p.Points); n > 0 {
		p.minX, p.maxX = p.from(0), p.to(n-1)
	}
	if p.maxX <= p.minX {
		p.maxX = p.minX + 1
	}
	highest := 1.0
	for _, point := range p.Points {
		highest = max(highest, sum(point.Values))
	}
	for _, l := range p.Limits {
		highest = max(highest, l.Value)
	}
	p.stepY = niceStep(highest, 6, 1)
	p.maxY = math.Ceil(highest*1.02/p.stepY) * p.stepY
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// niceStep divides a span into about n steps of 1, 2 or 5 times a power of ten,
// at least least.
func niceStep(span float64, n int, least float64) float64 {
	raw := max(span/float64(n), least)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step := m * power; step >= raw*0.999 {
			return step
		}
	}
	return 10 * power
}

// timeSteps are the round steps of a time axis, in seconds.
var timeSteps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400}

func (p *plot) stepX() float64 {
	span := p.maxX - p.minX
	if p.Label == nil {
		return niceStep(span, 10, 1)
	}
	for _, s := range timeSteps {
		if s >= span/8 {
			return s
		}
	}
	return niceStep(span, 8, 86400)
}

func (p *plot) x(v float64) float64 { return left + (v-p.minX)/(p.maxX-p.minX)*(right-left) }
func (p *plot) y(v float64) float64 { return bottom - v/p.maxY*(bottom-top) }

func (p *plot) begin() {
	p.line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-label="%s">`,
		number(width), number(height), number(width), number(height), escaped(p.Title+": "+p.Note))
	p.line("<title>%s</title>", escaped(p.Title))
	var lightSeries, darkSeries strings.Builder
	for i, s := range p.Series {
		fmt.Fprintf(&lightSeries, ".s%d{fill:%s}", i, s.Light)
		fmt.Fprintf(&darkSeries, ".s%d{fill:%s}", i, s.Dark)
	}
	p.line("<style>%s%s\n@media(prefers-color-scheme:dark){%s%s}</style>", css, lightSeries.String(), darkCSS, darkSeries.String())
	p.line(`<rect class="bg" width="%s" height="%s"/>`, number(width), number(height))
	p.text(16, 26, "t", "", p.Title)
	p.text(16, 45, "", "", p.Note)
}

func (p *plot) text(x, y float64, class, anchor, text string) {
	attr := ""
	if class != "" {
		attr += fmt.Sprintf(` class="%s"`, class)
	}
	if anchor != "" {
		attr += fmt.Sprintf(` text-anchor="%s"`, anchor)
	}
	p.line(`<text x="%s" y="%s"%s>%s</text>`, number(x), number(y), attr, escaped(text))
}

func (p *plot) segment(x1, y1, x2, y2 float64, class string) {
	p.line(`<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`, number(x1), number(y1), number(x2), number(y2), class)
}

func (p *plot) grid() {
	for v := 0.0; v <= p.maxY; v += p.stepY {
		p.segment(left, p.y(v), right, p.y(v), "g")
		p.text(left-8, p.y(v)+4, "", "end", number(v))
	}
	step := p.stepX()
	for v := math.Ceil(p.minX/step) * step; v <= p.maxX; v += step {
		label := number(v)
		if p.Label != nil {
			label = p.Label(v)
		}
		p.segment(p.x(v), bottom, p.x(v), bottom+4, "a")
		p.text(p.x(v), bottom+18, "", "middle", label)
	}
	p.segment(left, bottom, right, bottom, "a")
	p.segment(left, top, left, bottom, "a")
	p.line(`<text transform="translate(18 %s) rotate(-90)" text-anchor="middle">%s</text>`, number((top+bottom)/2), escaped(p.Unit))
	p.text(right, height-8, "", "end", p.Axis)
}

// bands draws the series as areas that keep their value until the next point,
// as a count does; gaps cut them.
func (p *plot) bands() {
	for i := range p.Series {
		var path strings.Builder
		for from := 0; from < len(p.Points); {
			if p.Points[from].Gap {
				from++
				continue
			}
			to := from
			for to < len(p.Points) && !p.Points[to].Gap {
				to++
			}
			p.band(&path, i, from, to)
			from = to
		}
		if path.Len() > 0 {
			p.line(`<path class="s%d" d="%s"/>`, i, path.String())
		}
	}
}

// from and to are the part of the axis that point n takes, its last one as much
// as the one before it. A count's place is around its number.
func (p *plot) from(n int) float64 {
	if p.Label == nil {
		return p.Points[n].X - 0.5
	}
	return p.Points[n].X
}

func (p *plot) to(n int) float64 {
	switch last := len(p.Points) - 1; {
	case p.Label == nil:
		return p.Points[n].X + 0.5
	case n < last:
		return p.Points[n+1].X
	case n > 0:
		return p.Points[n].X + (p.Points[n].X - p.Points[n-1].X)
	}
	return p.Points[n].X
}

// band is series i over the points from up to, not with, to.
func (p *plot) band(path *strings.Builder, i, from, to int) {
	empty := true
	for n := from; n < to; n++ {
		empty = empty && p.Points[n].Values[i] == 0
	}
	if empty {
		return
	}
	fmt.Fprintf(path, "M%s %s", number(p.x(p.from(from))), number(p.y(sum(p.Points[from].Values[:i+1]))))
	for n := from; n < to; n++ {
		y := p.y(sum(p.Points[n].Values[:i+1]))
		if n > from {
			fmt.Fprintf(path, "V%s", number(y))
		}
		fmt.Fprintf(path, "H%s", number(p.x(p.to(n))))
	}
	for n := to - 1; n >= from; n-- {
		fmt.Fprintf(path, "V%sH%s", number(p.y(sum(p.Points[n].Values[:i]))), number(p.x(p.from(n))))
	}
	path.WriteString("Z")
}

// limits draws the lines with their names to the right of the plot, from the
// highest down; names that would overlap make room for each other.
func (p *plot) limits() {
	list := slices.SortedFunc(slices.Values(p.Limits), func(a, b Limit) int { return cmp.Compare(b.Value, a.Value) })
	at := 0.0
	for _, l := range list {
		class := "limit"
		if l.Warn {
			class = "warn"
		}
		y := p.y(l.Value)
		p.segment(left, y, right, y, class)
		at = max(y+4, at+14)
		p.text(right+6, at, class+"-t", "", l.Name+" "+number(l.Value))
	}
}

// events draws the lines, each up to its text in one of three rows above the
// plot; a text for which none has room is left out.
func (p *plot) events() {
	const rows, rowHeight, perLetter = 3, 13.0, 6.0
	var ends [rows]float64
	for _, e := range p.Events {
		x := p.x(min(max(e.X, p.minX), p.maxX))
		row := slices.IndexFunc(ends[:], func(end float64) bool { return x >= end })
		if row < 0 {
			p.segment(x, top, x, bottom, "e")
			continue
		}
		y := top - 5 - float64(row)*rowHeight
		ends[row] = x + float64(len([]rune(e.Text)))*perLetter + 12
		p.segment(x, y-9, x, bottom, "e")
		p.text(x+4, y, "e-t", "", e.Text)
	}
}

func (p *plot) marks() {
	for _, point := range p.Points {
		if point.Marked {
			x, y := p.x(point.X), p.y(sum(point.Values))
			p.line(`<path class="x" d="M%s %sl8 8m0 -8l-8 8"/>`, number(x-4), number(y-4))
		}
	}
}

// legend names the series that have a value somewhere.
func (p *plot) legend() {
	x, y := left, height-14
	for i, s := range p.Series {
		used := false
		for _, point := range p.Points {
			used = used || !point.Gap && point.Values[i] > 0
		}
		if !used {
			continue
		}
		p.line(`<rect class="s%d" x="%s" y="%s" width="11" height="11"/>`, i, number(x), number(y-10))
		p.text(x+16, y, "", "", s.Name)
		x += 16 + float64(len(s.Name))*6.6 + 18
	}
	for _, point := range p.Points {
		if point.Marked {
			p.line(`<path class="x" d="M%s %sl8 8m0 -8l-8 8"/>`, number(x), number(y-8))
			p.text(x+14, y, "", "", p.Mark)
			break
		}
	}
}

// number has one decimal at most.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(plain.Line(s))) // a Builder takes everything
	return b.String()
}
