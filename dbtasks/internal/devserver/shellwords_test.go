package devserver

import (
	"reflect"
	"strings"
	"testing"
)

func TestAScriptIsSplitAsAShellSplitsIt(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][][]string{
		`vite dev`:                             {{"vite", "dev"}},
		`A=1 B='x y' cross-env C="d e" vite`:   {{"A=1", "B=x y", "cross-env", "C=d e", "vite"}},
		`prisma generate && vite dev --host`:   {{"prisma", "generate"}, {"vite", "dev", "--host"}},
		`a||b;c|d&e`:                           {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}},
		`vite dev &`:                           {{"vite", "dev"}, nil},
		`vite dev > log.txt 2>&1`:              {{"vite", "dev"}},
		`vite &> log --host`:                   {{"vite", "--host"}},
		`vite >log dev 2>/dev/null --open <in`: {{"vite", "dev", "--open"}},
		`echo "a \"b\" \\ c" x\ y`:             {{"echo", `a "b" \ c`, "x y"}},
		`vite --define a#b ''`:                 {{"vite", "--define", "a#b", ""}},
		``:                                     {nil},
	} {
		got, ok := simpleCommands(line)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, ok, want)
		}
	}
	for _, line := range []string{`(vite dev)`, `vite --port $(port)`, "vite `x`", `vite dev # comment`, `vite "dev`, `vite 'dev`} {
		if got, ok := simpleCommands(line); ok {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// Words without anything special come back as they are.
func FuzzPlainWordsSurvive(f *testing.F) {
	f.Add("vite dev --port")
	f.Add("a'b\"c;d")
	f.Fuzz(func(t *testing.T, line string) {
		got, ok := simpleCommands(line)
		if strings.ContainsAny(line, "'\"\\()`#<>;|&\n") {
			return
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' })
		if !ok || len(got) != 1 || strings.Join(got[0], " ") != strings.Join(fields, " ") {
			t.Errorf("%q: %q, %v", line, got, ok)
		}
	})
}
