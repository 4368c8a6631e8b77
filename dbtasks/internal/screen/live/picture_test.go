package live

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// picture is the README's: the screen of 80 columns as it is looked at above.
const picture = "../../../docs/screen.svg"

func TestThePictureOfTheREADMEIsTheScreen(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "small-dark.golden"))
	if err != nil {
		t.Fatal(err)
	}
	got := screenSVG(string(text))
	if err := xml.Unmarshal(got, new(struct{ XMLName xml.Name })); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(picture, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(picture); err != nil || !bytes.Equal(want, got) {
		t.Errorf("%s is not the screen any more (%v); go test -update draws it anew", picture, err)
	}
}

// The size of a terminal's cell in the picture, in pixels.
const cellWidth, cellHeight, margin = 8.4, 18.0, 12.0

// glyph is one character of a screen.
type glyph struct {
	r    string
	look look
}

type look struct {
	ink, paper string // as #rrggbb
	bold       bool
}

const foreground, background = "#d8dee9", "#14181f"

// screenSVG draws a screen with its colours. Blocks are drawn as rectangles, so
// that they touch in every font.
func screenSVG(screen string) []byte {
	lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	columns := 0
	for _, l := range lines {
		columns = max(columns, ansi.StringWidth(l))
	}
	var b bytes.Buffer
	width, height := float64(columns)*cellWidth+2*margin, float64(len(lines))*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="The live screen of db:monitor: a dev server leaks connections">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	fmt.Fprintf(&b, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">`+"\n")
	for row, line := range lines {
		y := margin + float64(row)*cellHeight
		for at, run := 0, []glyph(nil); ; {
			cells := cellsOf(line)
			if at >= len(cells) {
				break
			}
			run = nil
			for end := at; end < len(cells) && cells[end].look == cells[at].look && (filled(cells[end].r) > 0) == (filled(cells[at].r) > 0) && (filled(cells[at].r) == 0 || cells[end].r == cells[at].r); end++ {
				run = append(run, cells[end])
			}
			drawRun(&b, margin+float64(at)*cellWidth, y, run)
			at += len(run)
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// drawRun draws neighbours that look alike.
func drawRun(b *bytes.Buffer, x, y float64, run []glyph) {
	l, width := run[0].look, float64(len(run))*cellWidth
	if l.paper != background {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, width, cellHeight, l.paper)
	}
	if n := filled(run[0].r); n > 0 {
		high := cellHeight * float64(n) / 8
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y+cellHeight-high, width, high, l.ink)
		return
	}
	var text strings.Builder
	for _, c := range run {
		text.WriteString(c.r)
	}
	if strings.TrimSpace(text.String()) == "" {
		return
	}
	weight := ""
	if l.bold {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s"%s textLength="%.1f" lengthAdjust="spacingAndGlyphs">`, x, y+cellHeight-5, l.ink, weight, width)
	_ = xml.EscapeText(b, []byte(text.String()))
	b.WriteString("</text>\n")
}

// filled is how much of its cell a block fills from below; 0: it is no block.
func filled(r string) int {
	for i, block := range []rune("▁▂▃▄▅▆▇█") {
		if r == string(block) {
			return i + 1
		}
	}
	return 0
}

// cellsOf reads a line with the sequences that set a colour, bold, or turned
// colours; others do not occur in the screens.
func cellsOf(line string) (cells []glyph) {
	plain := look{ink: foreground, paper: background}
	now := plain
	for line != "" {
		seq, rest, found := strings.Cut(line, "m")
		if found && strings.HasPrefix(seq, "\x1b[") {
			line = rest
			codes := strings.Split(strings.TrimPrefix(seq, "\x1b["), ";")
			for i := 0; i < len(codes); i++ {
				switch code := codes[i]; {
				case code == "" || code == "0":
					now = plain
				case code == "1":
					now.bold = true
				case code == "7":
					now.ink, now.paper = now.paper, now.ink
				case (code == "38" || code == "48") && i+2 < len(codes) && codes[i+1] == "5":
					n, _ := strconv.Atoi(codes[i+2])
					if code == "38" {
						now.ink = hex(n)
					} else {
						now.paper = hex(n)
					}
					i += 2
				}
			}
			continue
		}
		r := []rune(line)[0]
		cells = append(cells, glyph{string(r), now})
		line = line[len(string(r)):]
	}
	return cells
}

// hex is one of a terminal's 256 colours.
func hex(n int) string {
	r, g, b, _ := color.Color(ansi.IndexedColor(n)).RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
