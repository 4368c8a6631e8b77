package jscode

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"
)

// FuzzReadingJavaScript: no text makes it panic; every line that it names lies
// in the text; and what is put behind a text as a comment changes nothing.
func FuzzReadingJavaScript(f *testing.F) {
	seeds(f, func(name, text string) {
		if loaders[filepath.Ext(name)] != api.LoaderNone {
			f.Add(text)
		}
	})
	f.Add("for await (const a of b) { await c }\nconst { Pool } = await import('pg')\n")
	f.Add("#!/usr/bin/env node\nconst a = `${`${1}`}`, r = /[/]\\//u\n")
	f.Fuzz(func(t *testing.T, text string) {
		src, err := parseJS(text, api.LoaderTS, false)
		if err != nil {
			return
		}
		if utf8.ValidString(text) && !strings.Contains(text, "\\") { // an escape in a specifier hides it, and nobody writes one
			specs := importSpecs(text)
			for _, i := range requires(src) {
				if !slices.Contains(specs, i.Spec) {
					t.Fatalf("the look at the bytes missed the import of %q", i.Spec)
				}
			}
		}
		lines := len(lineStarts(text))
		sites := sitesOf(src)
		for _, s := range sites {
			if line := src.line(s.node); line < 1 || line > lines {
				t.Fatalf("line %d of %d", line, lines)
			}
		}
		again, err := parseJS(text+"\n// new Pool(globalThis.pool)\n", api.LoaderTS, false)
		if err != nil {
			t.Fatalf("a comment behind it: %v", err)
		}
		if n := len(sitesOf(again)); n != len(sites) {
			t.Fatalf("%d calls, and %d with a comment behind them", len(sites), n)
		}
	})
}

// FuzzTheSettingsAreWhereTheyAreSaidToBe: a key that is put behind the brace is
// the first of the same object, and the others stay.
func FuzzTheSettingsAreWhereTheyAreSaidToBe(f *testing.F) {
	for _, seed := range []string{"export default { a: /}/, 'b-c': '}' }", "export default defineConfig(() => ({ a: `${{ b: 1 }}`, ...c }))", "/* ä😀 */ const x = { a() {}, get b() { return 1 }, c, [d]: 1 };\r\nexport default x satisfies X", "module.exports = {\n\ta: 1\n}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // what is no text is made one before it is parsed
		}
		behind, keys, ok := literalOf(t, text)
		if !ok {
			return
		}
		again, more, ok := literalOf(t, text[:behind]+" dbtasksAdded: 1, "+text[behind:])
		if !ok || again != behind || !slices.Equal(more, append([]string{"dbtasksAdded"}, keys...)) {
			t.Fatalf("%q: keys %q at %d became %q at %d", text, keys, behind, more, again)
		}
	})
}

func literalOf(t *testing.T, text string) (behind int, keys []string, ok bool) {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "vite.config.ts"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, err := Read(t.Context(), root, []string{"vite.config.ts"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := code.Config(".", "vite.config")
	if c == nil {
		return 0, nil, false
	}
	return c.Literal()
}

func sitesOf(src *source) []*site {
	m := &Module{path: "a.ts", sources: []*source{src}}
	m.analyse()
	return m.sites
}

// FuzzCuttingScriptBlocks: every block is a piece of the file at the line that
// it says, none holds its own end, and a comment before them all moves them by
// its lines alone.
func FuzzCuttingScriptBlocks(f *testing.F) {
	seeds(f, func(name, text string) {
		if ext := filepath.Ext(name); ext == ".svelte" || ext == ".vue" {
			f.Add(text)
		}
	})
	f.Add("<script a='>' b={\"}>\"}>x</script><style></script></style><script/>")
	f.Fuzz(func(t *testing.T, text string) {
		blocks := scriptBlocks(text)
		for _, b := range blocks {
			at := 0
			for range b.line {
				at += strings.IndexByte(text[at:], '\n') + 1
			}
			if !strings.Contains(text[at:], b.text) {
				t.Fatalf("%q is not at line %d", b.text, b.line)
			}
			if strings.Contains(strings.ToLower(b.text), "</script") {
				t.Fatalf("%q goes on behind its end", b.text)
			}
		}
		moved := scriptBlocks("<!--\n<script>x</script>\n-->" + text)
		if len(moved) != len(blocks) {
			t.Fatalf("%d blocks, %d behind a comment", len(blocks), len(moved))
		}
		for i := range blocks {
			if moved[i].line != blocks[i].line+2 || moved[i].text != blocks[i].text {
				t.Fatalf("%+v became %+v", blocks[i], moved[i])
			}
		}
	})
}

// seeds calls add for every file of the projects in testdata.
func seeds(f *testing.F, add func(name, text string)) {
	err := filepath.WalkDir("../checklist/testdata", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		add(name, string(text))
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}
