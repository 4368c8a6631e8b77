package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen/chart"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

var begin = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func history() runbook.History {
	h := runbook.History{Place: runbook.Place{Host: "localhost", Port: 5432, Database: `<shop> & "co"`}, Warn: 10, Usable: 97, Max: 100}
	for i := range 60 {
		h.Points = append(h.Points, runbook.Point{Time: begin.Add(time.Duration(i) * time.Second), Idle: i, Active: 2, Elsewhere: 3, Refused: i == 50, Lost: i >= 30 && i < 33})
	}
	h.Events = []runbook.Event{{Time: begin.Add(30 * time.Second), Text: "no answer"}, {Time: begin.Add(33 * time.Second), Text: "back after 3s"}, {Time: begin.Add(50 * time.Second), Text: "full: logins refused"}}
	return h
}

// parsed is what a reader of the picture finds in it, by element.
func parsed(t *testing.T, c chart.Chart) (texts []string, classes map[string]int, raw string) {
	t.Helper()
	var out bytes.Buffer
	if err := c.SVG(&out); err != nil {
		t.Fatal(err)
	}
	classes = map[string]int{}
	raw = out.String()
	d := xml.NewDecoder(&out)
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, classes, raw
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, raw)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
			for _, a := range token.Attr {
				if a.Name.Local == "class" {
					classes[token.Name.Local+"."+a.Value]++
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func TestThePictureHasAxesLimitsStatesEventsAndRefusals(t *testing.T) {
	t.Parallel()
	texts, classes, raw := parsed(t, chart.OfHistory(history()))
	all := strings.Join(texts, "\n")
	for _, want := range []string{`Connections of database <shop> & "co" at localhost:5432`, "peak 64 of 97 usable slots", "sessions", "time", "usable 97", "max_connections 100", "warn 10", "idle", "active", "other databases and this monitor",
		"no answer", "back after 3s", "full: logins refused", "login refused", "12:00:10", "100"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the picture:\n%s", want, all)
		}
	}
	if strings.Contains(all, "in transaction") {
		t.Error("a state that never was is in the legend")
	}
	if classes["path.s0"] != 1 || classes["path.x"] != 2 || classes["line.limit"] != 2 || classes["line.warn"] != 1 || classes["line.e"] != 3 {
		t.Errorf("%v", classes)
	}
	band := raw[strings.Index(raw, `<path class="s0"`):]
	if band = band[:strings.Index(band, "\n")]; strings.Count(band, "M") != 2 {
		t.Errorf("the gap does not cut the band: %s", band)
	}
	for _, outside := range []string{"href", "<script", "@import", "url("} {
		if strings.Contains(raw, outside) {
			t.Errorf("it is not self-contained: %s", outside)
		}
	}
	if !strings.Contains(raw, "prefers-color-scheme:dark") {
		t.Error("it has no dark scheme")
	}
}

func TestOnePointAndNoneAtAllAreAPictureToo(t *testing.T) {
	t.Parallel()
	h := history()
	h.Points, h.Events = h.Points[:1], nil
	parsed(t, chart.OfHistory(h))
	parsed(t, chart.OfHistory(runbook.History{}))
	parsed(t, chart.Chart{Title: "reloads", Series: []chart.Series{{Name: "sessions"}}, Points: []chart.Point{{X: 1, Values: []float64{5}}, {X: 2, Values: []float64{5}}}})
}

func TestTheLastReloadIsDrawnAsWideAndAsHighAsItIs(t *testing.T) {
	t.Parallel()
	r := runbook.VerifyReport{Verdict: runbook.VerdictLeaks, Peak: 24, Usable: 30}
	for i, n := range []int{6, 15, 24} {
		failed := i / 2
		r.Reloads = append(r.Reloads, runbook.VerifyReload{Sessions: n, Failed: failed})
	}
	texts, classes, raw := parsed(t, chart.OfReloads(r))
	var x, y float64
	var steps [][2]float64 // where a level ends, and how high it is
	for _, m := range regexp.MustCompile(`([MHV])([\d.]+) ?([\d.]*)`).FindAllStringSubmatch(raw[strings.Index(raw, `d="M`):strings.Index(raw, `Z"`)], -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		switch m[1] {
		case "M":
			x = v
			y, _ = strconv.ParseFloat(m[3], 64)
		case "V":
			y = v
		case "H":
			steps = append(steps, [2]float64{v - x, y})
			x = v
		}
	}
	if len(steps) < 3 || math.Abs(steps[0][0]-steps[2][0]) > 1 || math.Abs(steps[1][0]-steps[2][0]) > 1 || steps[2][0] < 50 || !(steps[0][1] > steps[1][1] && steps[1][1] > steps[2][1]) {
		t.Errorf("width and height of each reload: %v", steps)
	}
	if !slices.Contains(texts, "request failed") || slices.Contains(texts, "login refused") || classes["path.x"] != 2 || !slices.Contains(texts, "3") {
		t.Errorf("%q, %v", texts, classes)
	}
}

func TestThePictureOfTheREADMEIsOneOfThese(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../leak.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("peak 97 of 97 usable slots")) || xml.Unmarshal(text, new(struct{ XMLName xml.Name })) != nil {
		t.Error("leak.svg is not that run's picture")
	}
}
