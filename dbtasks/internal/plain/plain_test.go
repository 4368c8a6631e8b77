package plain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

func TestWhatATerminalWouldObeyIsShownAsItsEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"shop": "shop",
		"Übung für Ärzte, 日本, 🐘 … 'x'":       "Übung für Ärzte, 日本, 🐘 … 'x'",
		"\x1b]0;PWNED\a\x1b[31mR":            `\x1b]0;PWNED\x07\x1b[31mR`,
		"a\u009b1mb":                         `a\x9b1mb`,
		"a\x9b1mb":                           `a\x9b1mb`,
		"evil\u202egnp.exe":                  `evil\u202egnp.exe`,
		"pay\u200bpal\ufeff":                 `pay\u200bpal\ufeff`,
		"a\u2066b\u2069c\u00adc":             `a\u2066b\u2069c\xadc`,
		"tag\U000e0041":                      `tag\U000e0041`,
		"Ended 3 sessions.\nNext: rm -rf ~":  `Ended 3 sessions.\nNext: rm -rf ~`,
		"a\tb\r\x7f":                         `a\x09b\x0d\x7f`,
		"filler \u3164 and no-break\u00a0":   `filler \u3164 and no-break\xa0`,
		"cut \xf0\x9f":                       `cut \xf0\x9f`,
		strings.Repeat("x", 10_000_000):      strings.Repeat("x", plain.MostRunes) + "…",
		strings.Repeat("ü", plain.MostRunes): strings.Repeat("ü", plain.MostRunes),
	} {
		want = strings.ReplaceAll(want, `\n`, `\x0a`)
		if got := plain.Line(in); got != want {
			t.Errorf("%.60q is shown as %.80s, want %.80s", in, got, want)
		}
	}
	if got := plain.Text("a\tb\nc\x1b"); got != "a\tb\nc\\x1b" {
		t.Errorf("text %q", got)
	}
}

func TestTheFormatIsOursAndTheArgumentsAreNot(t *testing.T) {
	t.Parallel()
	hostile := "x\x1b[2J\nNext: rm"
	for got, want := range map[string]string{
		plain.Sprintf("a\n%s", hostile):                        "a\n" + `x\x1b[2J\x0aNext: rm`,
		plain.Sprintf("%q", hostile):                           `"x\x1b[2J\nNext: rm"`,
		plain.Sprintf("%5d|%-6s|%v", 3, "b", errors.New("\a")): `    3|b     |\x07`,
		plain.Sprintf("%*d %.1f %t", 4, 7, 1.25, true):         "   7 1.2 true",
		plain.Sprintf("%s", plain.Safe("a\nb")):                "a\nb",
		plain.Sprintf("%v", []string{"\x1b"}):                  `[\x1b]`,
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add("a\x1b\u009b\u202e\U000e0041\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(map[string]string{"k": s}); err != nil {
			t.Fatal(err)
		}
		var before, after map[string]string
		out := plain.JSON(b.Bytes())
		if json.Unmarshal(b.Bytes(), &before) != nil || json.Unmarshal(out, &after) != nil || before["k"] != after["k"] {
			t.Fatalf("%q became %q", b.Bytes(), out)
		}
		for _, r := range string(out) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%q still holds %U", out, r)
			}
		}
		for _, r := range plain.Line(s) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q still holds %U", plain.Line(s), r)
			}
		}
	})
}
