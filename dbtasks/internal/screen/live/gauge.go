package live

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
)

// gauge is all of max_connections as a bar: used by kind, free, reserved.
func (m *model) gauge(width int, used [kinds]int, usable, total int) string {
	return m.paint(width, func(i int) kind {
		return kindAt(used, usable, (float64(i)+0.5)*float64(total)/float64(width))
	})
}

// kindAt is what the slot at a place between 0 and max_connections is.
func kindAt(used [kinds]int, usable int, at float64) kind {
	upTo := 0
	for k, n := range used {
		if upTo += n; at < float64(upTo) {
			return kind(k)
		}
	}
	if at >= float64(usable) {
		return kindSpare
	}
	return kindFree
}

// paint draws cells of kinds, runs of one kind in one go.
func (m *model) paint(width int, at func(i int) kind) string {
	var b strings.Builder
	for i := 0; i < width; {
		k, from := at(i), i
		for i < width && at(i) == k {
			i++
		}
		b.WriteString(m.style.ink[k].Render(strings.Repeat(m.style.fill[k], i-from)))
	}
	return b.String()
}

// marks is the line below the gauge: where the warning limit is, where the
// usable slots end and the reserved begin. A label that would run into the one
// before it is left out; the last is the most important and comes first.
func (m *model) marks(width, warn, usable, total int) string {
	line := []rune(strings.Repeat(" ", width))
	up := m.style.glyph("▴", "^")
	put := func(at int, text string, left bool) {
		col := min(max(at*width/max(total, 1), 0), width-1)
		from := col
		if left {
			text += up
			from = col - lipgloss.Width(text) + 1
		} else {
			text = up + text
		}
		if from < 0 || from+lipgloss.Width(text) > width {
			return
		}
		for i := max(0, from-1); i < min(width, from+lipgloss.Width(text)+1); i++ {
			if line[i] != ' ' {
				return
			}
		}
		copy(line[from:], []rune(text))
	}
	usableText := fmt.Sprintf("usable %d", usable)
	if total > usable {
		usableText += fmt.Sprintf(" + %d reserved", total-usable)
	}
	put(usable, usableText, true)
	if warn > 0 && warn < usable {
		put(warn, fmt.Sprintf("warn %d", warn), false)
	}
	return m.style.faint.Render(strings.TrimRight(string(line), " "))
}

// legend names the kinds that there are.
func (m *model) legend(used [kinds]int) string {
	var parts []string
	for k, n := range used {
		if n > 0 || kind(k) <= kindInTransaction {
			parts = append(parts, m.style.ink[k].Render(m.style.fill[k])+fmt.Sprintf(" %d %s", n, kindNames[k]))
		}
	}
	return strings.Join(parts, "  ")
}
