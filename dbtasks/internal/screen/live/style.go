package live

import (
	"image/color"

	"charm.land/lipgloss/v2"

	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// kind is what a slot is used for: the states of the watched database's
// sessions, then the rest of the server.
type kind int

const (
	kindIdle kind = iota
	kindActive
	kindInTransaction
	kindOther
	kindElsewhere
	kinds     // how many there are
	kindFree  = kinds
	kindSpare = kinds + 1 // reserved
)

var kindNames = [kinds]string{"idle", "active", "in transaction", "other", "elsewhere"}

// counts are a point's slots by kind.
func counts(p runbook.Point) [kinds]int {
	return [kinds]int{p.Idle, p.Active, p.InTransaction, p.Other, p.Elsewhere}
}

// ink is a colour of the chart.
type ink int

const (
	inkNone ink = iota
	inkBad
	inkWarn
	inkKinds // and further: the kinds
)

func (k kind) ink() ink { return inkKinds + ink(k) }

func (s style) of(i ink) lipgloss.Style {
	switch i {
	case inkBad:
		return s.bad
	case inkWarn:
		return s.warn
	}
	return s.ink[i-inkKinds]
}

// style is how things look on this terminal: dark or light, with colours or
// without, with the block characters of Unicode or with ASCII.
type style struct {
	dark, utf8, color bool

	fill [kinds + 2]string // a full cell of each kind
	ink  [kinds + 2]lipgloss.Style

	good, warn, bad, faint, strong, chosen lipgloss.Style
}

func newStyle(dark, utf8, colors bool) style {
	s := style{dark: dark, utf8: utf8, color: colors}
	switch {
	case !utf8:
		s.fill = [...]string{"=", "#", "!", "?", "-", ".", "x"}
	case colors:
		s.fill = [...]string{"█", "█", "█", "█", "█", "·", "░"}
	default:
		s.fill = [...]string{"▒", "█", "▓", "▚", "░", "·", "x"}
	}
	pick := lipgloss.LightDark(dark)
	// Of the 256 colours those that stand out on white and on black; terminals
	// with 16 get the nearest.
	inks := [...]color.Color{
		pick(lipgloss.Color("26"), lipgloss.Color("75")),   // idle: blue
		pick(lipgloss.Color("28"), lipgloss.Color("78")),   // active: green
		pick(lipgloss.Color("166"), lipgloss.Color("214")), // in transaction: orange
		pick(lipgloss.Color("97"), lipgloss.Color("140")),  // other: purple
		pick(lipgloss.Color("245"), lipgloss.Color("243")), // elsewhere: grey
		pick(lipgloss.Color("250"), lipgloss.Color("238")), // free
		pick(lipgloss.Color("181"), lipgloss.Color("95")),  // reserved
	}
	for i, ink := range inks {
		s.ink[i] = lipgloss.NewStyle().Foreground(ink)
	}
	s.good = lipgloss.NewStyle().Bold(true).Foreground(pick(lipgloss.Color("28"), lipgloss.Color("78")))
	s.warn = lipgloss.NewStyle().Bold(true).Foreground(pick(lipgloss.Color("130"), lipgloss.Color("214")))
	s.bad = lipgloss.NewStyle().Bold(true).Foreground(pick(lipgloss.Color("160"), lipgloss.Color("203")))
	s.faint = lipgloss.NewStyle().Foreground(pick(lipgloss.Color("240"), lipgloss.Color("246")))
	s.strong = lipgloss.NewStyle().Bold(true)
	s.chosen = lipgloss.NewStyle().Reverse(true)
	return s
}

// glyphs that ASCII has others for.
func (s style) glyph(unicode, ascii string) string {
	if s.utf8 {
		return unicode
	}
	return ascii
}
