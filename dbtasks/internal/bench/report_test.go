//go:build unix

package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// writeVariable names the file that has the table between two marks; the charts
// are written beside this package's code.
const writeVariable = "DBTASKS_BENCH_WRITE"

const (
	tableBegin = "<!-- bench: written by go tool mage bench -->\n"
	tableEnd   = "<!-- /bench -->\n"
)

// write puts the figures of this run into dbtasks/docs/speed.md and draws the charts.
func write(b *testing.B) {
	b.Helper()
	readme := os.Getenv(writeVariable)
	if readme == "" {
		return
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		b.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(tableBegin))
	_, tail, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ok2 {
		b.Fatalf("%s has no place for the table", readme)
	}
	var page bytes.Buffer
	page.Write(head)
	page.WriteString(tableBegin)
	table(&page, machine(b))
	page.WriteString(tableEnd)
	page.Write(tail)
	for name, data := range map[string][]byte{readme: page.Bytes(), "ratios.svg": ratiosSVG(), "growth.svg": growthSVG()} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// table writes the results as Markdown.
func table(w io.Writer, where string) {
	fmt.Fprintf(w, "%s\n\n", where)
	fmt.Fprintln(w, "| | what | against | ours | theirs | ratio (quartiles) | aim | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, r := range results {
		var more []string
		missed := r.ratio > r.aim
		if r.floorMedian > 0 {
			beyond := r.oursMedian - r.floorMedian
			more = append(more, fmt.Sprintf("%s: %s; ours beyond it %s (aim 10 ms: %s)", r.floor.name, seconds(r.floorMedian), seconds(beyond), isMet(beyond <= 0.01)))
			missed = missed || beyond > 0.01
		}
		if r.note != nil {
			more = append(more, r.note())
		}
		met := isMet(r.ratio <= r.aim)
		if missed && r.why != "" {
			more = append(more, r.why)
		}
		spread := fmt.Sprintf("%.2f (%.2f–%.2f)", r.ratio, r.low, r.high)
		if r.rounds == 1 {
			spread = fmt.Sprintf("%.2f", r.ratio)
		}
		fmt.Fprintf(w, "| %s | %s: `%s` | %s | %s | %s | %s, N=%d | %.2f: %s | %s |\n", r.name, r.job, r.ours.name, r.theirs.name, seconds(r.oursMedian), seconds(r.theirsMedian), spread, r.rounds, r.aim, met, strings.Join(more, "; "))
	}
	for _, f := range firsts {
		aim := ""
		if f.aim > 0 {
			aim = fmt.Sprintf("%.0f s: %s", f.aim, isMet(f.took <= f.aim))
		}
		fmt.Fprintf(w, "| first use | empty build cache, modules downloaded | %s | %s, %s of processor time | | | %s | |\n", f.what, seconds(f.took), seconds(f.cpu), aim)
	}
	if len(dependencies) > 0 {
		var parts []string
		for _, d := range dependencies[:min(10, len(dependencies))] {
			parts = append(parts, fmt.Sprintf("%s %.1f s", d.module, d.cpu))
		}
		fmt.Fprintf(w, "\nWhat building costs, by module, in seconds of processor time: %s.\n", strings.Join(parts, ", "))
	}
	for _, c := range curves {
		var parts []string
		for _, p := range c.points {
			parts = append(parts, fmt.Sprintf("%d: %s", p.size, seconds(p.cost)))
		}
		fmt.Fprintf(w, "\nGrowth of `%s` with %s: %s.\n", c.job, c.of, strings.Join(parts, ", "))
	}
}

func isMet(met bool) string {
	if met {
		return "met"
	}
	return "not met"
}

// machine says what the figures were made on.
func machine(b *testing.B) string {
	cpu := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s, PostgreSQL %s, Node %s, npm %s, %s.", runtime.NumCPU(), cpu, runtime.GOOS, runtime.GOARCH, runtime.Version(),
		pgtest.Binaries(b).Version, said("node", "--version"), said("npm", "--version"), said("lsof", "-v"))
}

// said is the first line with a version that a program prints.
func said(args ...string) string {
	out, _ := exec.CommandContext(context.Background(), args[0], args[1:]...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.ContainsAny(line, "0123456789") {
			return strings.TrimSpace(strings.ReplaceAll(line, "revision", "lsof"))
		}
	}
	return "absent"
}

// svg is a picture being drawn.
type svg struct{ bytes.Buffer }

func begin(width, height int, title string) *svg {
	s := &svg{}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n", width, height, width, height, title)
	fmt.Fprintf(s, "<style>text{font:12px system-ui,sans-serif;fill:#374151}.t{font-size:15px;font-weight:600}.bg{fill:#fff}.bar{fill:#2563eb}.over{fill:#d97706}.axis{stroke:#9ca3af}.one{stroke:#6b7280;stroke-dasharray:5 3}.aim{stroke:#059669;stroke-width:2}polyline{fill:none;stroke-width:2}\n@media(prefers-color-scheme:dark){text{fill:#d1d5db}.bg{fill:#111827}.bar{fill:#60a5fa}.over{fill:#fbbf24}.one{stroke:#9ca3af}.aim{stroke:#34d399}}</style>\n")
	fmt.Fprintf(s, `<rect class="bg" width="%d" height="%d"/><text class="t" x="16" y="26">%s</text>`+"\n", width, height, title)
	return s
}

func (s *svg) text(x, y float64, anchor, text string) {
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
	fmt.Fprintf(s, `<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, text)
}

func (s *svg) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

func (s *svg) end() []byte {
	s.WriteString("</svg>\n")
	return s.Bytes()
}

// ratiosSVG shows every ratio as a bar, up to mostShown.
func ratiosSVG() []byte {
	const left, right, row, mostShown = 470.0, 840.0, 22.0, 1.25
	x := func(ratio float64) float64 { return left + min(ratio, mostShown)/mostShown*(right-left) }
	s := begin(900, 80+int(row)*len(results), "Time of dbtasks (db:monitor: processor time) as a part of the other's; green: the aim")
	bottom := 50 + row*float64(len(results))
	for i, r := range results {
		y := 44 + row*float64(i)
		s.text(left-8, y+13, "end", r.name+": "+r.theirs.name)
		class := "bar"
		if r.ratio > r.aim {
			class = "over"
		}
		fmt.Fprintf(s, `<rect x="%.1f" y="%.1f" width="%.1f" height="16" class="%s"/>`+"\n", left, y, x(r.ratio)-left, class)
		s.line(x(r.aim), y-2, x(r.aim), y+18, "aim")
		s.text(x(max(r.ratio, r.aim))+6, y+13, "start", strconv.FormatFloat(r.ratio, 'f', 2, 64))
	}
	s.line(x(1), 40, x(1), bottom, "one")
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1, mostShown} {
		s.text(x(v), bottom+16, "middle", strconv.FormatFloat(v, 'f', -1, 64))
	}
	return s.end()
}

// colours of the curves, readable on light and on dark.
var colours = []string{"#2563eb", "#d97706", "#059669", "#dc2626", "#9333ea", "#0891b2"}

// growthSVG draws how often the cost multiplies as the size does, from the
// smallest size on. Below the dotted line it grows more slowly than the size.
func growthSVG() []byte {
	const left, right, top, bottom = 60.0, 620.0, 50.0, 400.0
	most := 1.0
	for _, c := range curves {
		for _, p := range c.points {
			most = max(most, float64(p.size)/float64(c.points[0].size), p.cost/c.points[0].cost)
		}
	}
	x := func(v float64) float64 { return left + math.Log10(v)/math.Log10(most)*(right-left) }
	y := func(v float64) float64 { return bottom - math.Log10(max(v, 1))/math.Log10(most)*(bottom-top) }
	s := begin(900, 450, "How cost grows with size: times the cost at times the size, both logarithmic")
	for v := 1.0; v <= most*1.001; v *= 10 {
		s.text(x(v), bottom+18, "middle", fmt.Sprintf("× %.0f", v))
		s.text(left-8, y(v)+4, "end", fmt.Sprintf("× %.0f", v))
	}
	s.line(left, bottom, right, bottom, "axis")
	s.line(left, top, left, bottom, "axis")
	s.line(x(1), y(1), x(most), y(most), "one")
	s.text(right+8, y(most)+4, "start", "as the size")
	labels := slices.Clone(curves)
	slices.SortFunc(labels, func(a, b curve) int { return strings.Compare(a.job, b.job) })
	for i, c := range labels {
		var points strings.Builder
		for _, p := range c.points {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(float64(p.size)/float64(c.points[0].size)), y(p.cost/c.points[0].cost))
		}
		colour := colours[i%len(colours)]
		fmt.Fprintf(s, `<polyline points="%s" style="stroke:%s"/>`+"\n", strings.TrimSpace(points.String()), colour)
		ly := 80 + 20*float64(i)
		fmt.Fprintf(s, `<rect x="640" y="%.0f" width="12" height="12" style="fill:%s"/>`+"\n", ly-10, colour)
		s.text(658, ly, "start", fmt.Sprintf("%s, %s", c.job, c.of))
	}
	return s.end()
}
