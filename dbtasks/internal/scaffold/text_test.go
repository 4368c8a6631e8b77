package scaffold

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestScriptsAreAddedAndEveryOtherByteStays(t *testing.T) {
	t.Parallel()
	const add = `"db:test": "bash x"`
	for _, c := range []struct{ what, before, after string }{
		{"tabs", "{\n\t\"scripts\": {\n\t\t\"dev\": \"vite\"\n\t}\n}\n", "{\n\t\"scripts\": {\n\t\t\"dev\": \"vite\",\n\t\t" + add + "\n\t}\n}\n"},
		{"four blanks, no last line end", "{\n    \"scripts\": {\n        \"dev\": \"vite\"\n    },\n    \"x\": 1.0\n}", "{\n    \"scripts\": {\n        \"dev\": \"vite\",\n        " + add + "\n    },\n    \"x\": 1.0\n}"},
		{"Windows' line ends", "{\r\n  \"scripts\": {\r\n    \"dev\": \"vite\"\r\n  }\r\n}\r\n", "{\r\n  \"scripts\": {\r\n    \"dev\": \"vite\",\r\n    " + add + "\r\n  }\r\n}\r\n"},
		{"a byte-order mark", "\ufeff{\n  \"scripts\": {\n    \"dev\": \"vite\"\n  }\n}\n", "\ufeff{\n  \"scripts\": {\n    \"dev\": \"vite\",\n    " + add + "\n  }\n}\n"},
		{"one line", `{"scripts":{"dev":"vite"},"name":"x"}`, `{"scripts":{"dev":"vite", ` + add + `},"name":"x"}`},
		{"scripts on one line", "{\n  \"scripts\": { \"dev\": \"vite\" }\n}\n", "{\n  \"scripts\": { \"dev\": \"vite\", " + add + " }\n}\n"},
		{"no script yet", "{\n  \"scripts\": {},\n  \"name\": \"x\"\n}\n", "{\n  \"scripts\": {\n    " + add + "\n  },\n  \"name\": \"x\"\n}\n"},
		{"no scripts", "{\n  \"name\": \"x\"\n}\n", "{\n  \"name\": \"x\",\n  \"scripts\": {\n    " + add + "\n  }\n}\n"},
		{"odd spacing", "{ \"name\" : \"x\" ,\n  \"scripts\" :\n  {\n      \"a\\\"}\" : \"{\" ,\n      \"b\" : \"\\\\\"\n  } }", "{ \"name\" : \"x\" ,\n  \"scripts\" :\n  {\n      \"a\\\"}\" : \"{\" ,\n      \"b\" : \"\\\\\",\n      " + add + "\n  } }"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			got, err := insertMembers([]byte(c.before), "scripts", []member{{"db:test", "bash x"}})
			if err != nil || string(got) != c.after {
				t.Errorf("%v\n%q\nwant\n%q", err, got, c.after)
			}
			if !sameBut([]byte(c.before), got, []member{{"db:test", "bash x"}}) {
				t.Error("it does not say the same")
			}
		})
	}
	for _, broken := range []string{"", "[]", `{"scripts": []}`, `{"scripts": null}`, `{"scripts": {"a": 1`} {
		if got, err := insertMembers([]byte(broken), "scripts", []member{{"a", "b"}}); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
}

func FuzzInsertedMembersChangeNothingElse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"scripts":{}}`, "{\n\t\"a\": [1, {}],\n\t\"scripts\": {\"x\": \"y\"}}", `{"scripts":{"a":"b"},"scripts":{}}`, "\ufeff {\"\\u0073cripts\":{}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		add := []member{{"db:test", "<a> && \"b\""}}
		after, err := insertMembers([]byte(text), "scripts", add)
		if err != nil {
			return
		}
		var before map[string]json.RawMessage
		if json.Unmarshal(withoutBOM([]byte(text)), &before) != nil {
			return // more follows the object: packageSteps reads the whole before
		}
		var got struct{ Scripts map[string]any }
		if err := json.Unmarshal(withoutBOM(after), &got); err != nil {
			t.Fatalf("%q became %q: %v", text, after, err)
		}
	})
}

func TestADifferenceIsWhatGitApplyTakes(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	lines := func(n int, change map[int]string) string {
		var b strings.Builder
		for i := 1; i <= n; i++ {
			if text, ok := change[i]; ok {
				b.WriteString(text)
				continue
			}
			b.WriteString(strings.Repeat("x", i) + "\n")
		}
		return b.String()
	}
	for _, c := range []struct{ before, after string }{
		{"a\n", "b\n"},
		{"a", "a\nb\n"},
		{"a\n", "a"},
		{"a\nb\n", "b\n"},
		{lines(30, nil), lines(30, map[int]string{1: "first\n", 8: "", 15: "a\nb\n", 16: "", 30: "last"})},
		{lines(30, nil), lines(30, map[int]string{5: "", 11: "", 12: "x\n", 19: "", 26: "", 33: ""})},
	} {
		root := project(t, map[string]string{"f": c.before})
		patch := unified("f", c.before, c.after)
		cmd := exec.Command("git", "apply", "-")
		cmd.Dir, cmd.Stdin = root, strings.NewReader(patch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, patch)
			continue
		}
		if got, err := os.ReadFile(filepath.Join(root, "f")); err != nil || string(got) != c.after {
			t.Errorf("%v: %q, want %q\n%s", err, got, c.after, patch)
		}
	}
	if unified("f", "same", "same") != "" {
		t.Error("equal texts differ")
	}
}
