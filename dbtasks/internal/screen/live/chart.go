package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// chartWindow is the time that the history shows at most, unless the interval is
// so long that a column a look covers more. It begins with the first of
// chartSteps and goes on to the next when more has been seen: a step, so that
// the picture stands still in between.
const chartWindow = 5 * time.Minute

var chartSteps = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, chartWindow}

func windowFor(points []runbook.Point, now time.Time) time.Duration {
	if len(points) == 0 {
		return chartSteps[0]
	}
	seen := now.Sub(points[0].Time)
	for _, step := range chartSteps {
		if seen <= step {
			return step
		}
	}
	return chartWindow
}

// axisWidth is the columns of the numbers left of the chart.
const axisWidth = 5

// column is what one column of the chart shows: the fullest of its looks.
type column struct {
	point   runbook.Point
	known   bool
	refused bool
	lost    bool
}

// columns sorts the looks of the last while into so many columns, the newest
// last.
func columns(points []runbook.Point, n int, width time.Duration, now time.Time) []column {
	list := make([]column, n)
	for _, p := range points {
		i := n - 1 - int(now.Sub(p.Time)/width)
		if i < 0 || i >= n {
			continue
		}
		c := &list[i]
		c.refused, c.lost = c.refused || p.Refused, c.lost || p.Lost
		if !c.known || p.Used() > c.point.Used() {
			c.point = p
		}
		c.known = true
	}
	for i := 1; i+1 < n; i++ {
		if !list[i].known && list[i-1].known && list[i+1].known {
			list[i] = list[i-1] // a look was late
		}
	}
	return list
}

// chart is the history as lines, the last of them the time axis.
func (m *model) chart(width, height int, h runbook.History, now time.Time) []string {
	cols := width - axisWidth
	rows := height - 1
	if cols < 10 || rows < 2 || h.Max == 0 {
		return nil
	}
	each := max(m.every, windowFor(h.Points, now)/time.Duration(cols))
	// Columns begin at whole multiples: the picture moves by columns and does not flicker.
	now = now.Truncate(each).Add(each)
	list := columns(h.Points, cols, each, now.Add(-1))
	var lines []string
	for row := rows - 1; row >= 0; row-- {
		low, high := float64(row)*float64(h.Max)/float64(rows), float64(row+1)*float64(h.Max)/float64(rows)
		label, mark := "", cell{}
		inRow := func(n int) bool { return float64(n) > low && float64(n) <= high }
		switch {
		case inRow(h.Usable):
			label, mark = fmt.Sprint(h.Usable), cell{text: m.style.glyph("╌", "-"), ink: inkBad}
		case h.Warn > 0 && inRow(h.Warn):
			label, mark = fmt.Sprint(h.Warn), cell{text: m.style.glyph("┈", "."), ink: inkWarn}
		case row == rows-1:
			label = fmt.Sprint(h.Max)
		case row == 0:
			label = "0"
		}
		cells := make([]cell, len(list))
		for i, c := range list {
			if cells[i] = m.cell(c, h, low, high); cells[i] == (cell{}) {
				cells[i] = mark
			}
		}
		lines = append(lines, fmt.Sprintf("%*s", axisWidth-1, label)+m.style.glyph("│", "|")+m.style.join(cells))
	}
	return append(lines, m.timeAxis(cols, each))
}

// cell is one character of the chart; the zero cell is blank.
type cell struct {
	text   string
	ink    ink
	ground ink // of the background; 0: the terminal's
}

// join draws cells, runs that look the same in one go: a style costs more than
// the text.
func (s style) join(cells []cell) string {
	var b strings.Builder
	for i := 0; i < len(cells); {
		c, from := cells[i], i
		for i < len(cells) && cells[i] == c {
			i++
		}
		text := c.text
		if text == "" {
			text = " "
		}
		text = strings.Repeat(text, i-from)
		if c.ink == inkNone {
			b.WriteString(text)
			continue
		}
		look := s.of(c.ink)
		if c.ground != inkNone {
			look = look.Background(s.of(c.ground).GetForeground())
		}
		b.WriteString(look.Render(text))
	}
	return b.String()
}

var eighths = []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// cell is one cell of a column, of slots low to high.
func (m *model) cell(c column, h runbook.History, low, high float64) cell {
	switch {
	case !c.known:
		return cell{}
	case c.refused && float64(h.Usable) > low && float64(h.Usable) <= high:
		return cell{text: m.style.glyph("✖", "X"), ink: inkBad}
	case c.lost && low == 0:
		return cell{text: "?", ink: inkBad}
	case c.lost:
		return cell{}
	}
	used := counts(c.point)
	if c.refused && c.point.Used() == 0 {
		used[kindOther] = h.Usable // full, and by what is not known
	}
	if !m.style.utf8 || !m.style.color {
		if k := kindAt(used, h.Max+1, (low+high)/2); k < kinds {
			return cell{text: m.style.fill[k], ink: k.ink()}
		}
		return cell{}
	}
	return fine(used, h.Max, low, high)
}

// fine draws a cell in eighths: the lower kind in the foreground, the one
// above it as background.
func fine(used [kinds]int, total int, low, high float64) cell {
	lower := kindAt(used, total+1, low+1e-9)
	if lower >= kinds {
		return cell{}
	}
	edge := 0.0
	for k := kind(0); k <= lower; k++ {
		edge += float64(used[k])
	}
	if edge >= high {
		return cell{text: "█", ink: lower.ink()}
	}
	part := int((edge-low)/(high-low)*8 + 0.5)
	upper := kindAt(used, total+1, (edge+high)/2)
	if upper >= kinds {
		return cell{text: eighths[max(part, 1)], ink: lower.ink()}
	}
	return cell{text: eighths[min(max(part, 1), 7)], ink: lower.ink(), ground: upper.ink()}
}

// timeAxis is the line below: how long ago, every quarter.
func (m *model) timeAxis(cols int, each time.Duration) string {
	line := []rune(strings.Repeat(m.style.glyph("─", "-"), cols))
	for _, quarter := range []int{4, 3, 2, 1} {
		at := cols - cols*quarter/4
		ago := (each * time.Duration(cols-at)).Round(time.Second)
		copy(line[at:], []rune(" -"+short(ago)+" "))
	}
	copy(line[cols-4:], []rune(" now"))
	return m.style.faint.Render(strings.Repeat(" ", axisWidth-1) + m.style.glyph("└", "+") + string(line))
}

// short is a duration in a few characters: 45s, 5m, 1m15s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
