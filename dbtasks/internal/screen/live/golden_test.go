package live

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the screens of testdata anew, to be looked at")

func text(m *model) string { return ansi.Strip(strings.Join(m.lines(), "\n")) }

// The screens are kept with their colours: `cat` shows them as they are.
func TestTheScreenAtEachSizeIsAsItWasLookedAt(t *testing.T) {
	utf := Options{Environ: []string{"LANG=C.UTF-8"}}
	for _, c := range []struct {
		name          string
		o             Options
		width, height int
		change        []tea.Msg
		keys          []string
	}{
		{"small-dark", utf, 80, 24, nil, nil},
		{"middle-light", utf, 120, 40, []tea.Msg{tea.BackgroundColorMsg{Color: lipgloss.Color("#ffffff")}}, nil},
		{"large-ascii-no-color", Options{Environ: []string{"LANG=C"}}, 200, 50, []tea.Msg{tea.ColorProfileMsg{Profile: colorprofile.ASCII}}, nil},
		{"small-no-color", utf, 80, 24, []tea.Msg{tea.ColorProfileMsg{Profile: colorprofile.ASCII}}, nil},
		{"small-sessions", utf, 80, 24, nil, []string{"down", "enter", "space"}},
		{"large-help", utf, 200, 50, nil, []string{"?"}},
		{"too-small", utf, 30, 8, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := scene(t, c.o, c.width, c.height)
			for _, msg := range c.change {
				m.Update(msg)
			}
			press(t, m, c.keys...)
			lines := m.lines()
			for i, l := range lines {
				if w := ansi.StringWidth(l); w > c.width {
					t.Errorf("line %d is %d wide at %s", i+1, w, fmtSize(c.width, c.height))
				}
			}
			if len(lines) > c.height {
				t.Errorf("%d lines at %s", len(lines), fmtSize(c.width, c.height))
			}
			got := strings.Join(lines, "\n") + "\n"
			file := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the screen has changed (go test -update writes it anew; look at it):\n%s\n--- was:\n%s", ansi.Strip(got), ansi.Strip(string(want)))
			}
		})
	}
}

func TestNoSizeBreaksTheScreen(t *testing.T) {
	m, _ := scene(t, Options{Environ: []string{"LANG=C.UTF-8"}}, 80, 24)
	for width := range 220 {
		for _, height := range []int{1, 2, 9, 10, 11, 17, 18, 24, 60} {
			m.Update(tea.WindowSizeMsg{Width: width, Height: height})
			lines := m.lines()
			if len(lines) > max(height, 3) {
				t.Fatalf("%d lines at %s", len(lines), fmtSize(width, height))
			}
			for _, l := range lines {
				if ansi.StringWidth(l) > width {
					t.Fatalf("a line of %d at %s: %q", ansi.StringWidth(l), fmtSize(width, height), l)
				}
			}
		}
	}
}
