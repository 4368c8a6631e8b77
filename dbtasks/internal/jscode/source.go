package jscode

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"sort"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
)

// source is one file of JavaScript, TypeScript or JSX (or the script blocks of
// one Svelte or Vue file) as a syntax tree.
//
// esbuild takes types and JSX away and writes imports and exports as CommonJS,
// each use of an import as a member of its module: import_pg.Pool. So a local
// variable named Pool is never taken for pg's. goja parses what is left.
type source struct {
	program *ast.Program
	code    string        // what the tree's positions are of
	remap   func() []byte // makes esbuild's source map, which few files need
	starts  []int         // offset of each line of code
	maps    *sourcemap.Consumer
	offset  int  // lines above the script block in its file
	direct  bool // the code is the file's text: no map
}

// lowered is the syntax that goja does not read: esbuild writes it in older
// syntax. A top-level await can't be: it has to be reported, see parseJS.
var lowered = map[string]bool{
	"top-level-await": false, "dynamic-import": false, "import-meta": false, "for-await": false, "async-generator": false,
	"using": false, "decorators": false, "hashbang": false, "class-static-blocks": true, "logical-assignment": true,
}

// loaders by the file's extension.
var loaders = map[string]api.Loader{
	".js": api.LoaderJSX, ".jsx": api.LoaderJSX, ".mjs": api.LoaderJSX, ".cjs": api.LoaderJSX,
	".ts": api.LoaderTS, ".mts": api.LoaderTS, ".cts": api.LoaderTS, ".tsx": api.LoaderTSX,
}

// parseJS reads text. With keepImports an import that the script itself does
// not use is kept: the markup around it may use it.
func parseJS(text string, loader api.Loader, keepImports bool) (s *source, err error) {
	defer func() { // a parser of others, on text of others
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("the parser failed: %v", p)
		}
	}()
	if err := tooDeep(text); err != nil {
		return nil, err
	}
	// esbuild 0.28 takes all memory for some bytes that are no UTF-8, which a
	// file in Latin-1 has.
	text = strings.ToValidUTF8(text, "?")
	o := api.TransformOptions{Loader: loader, Format: api.FormatCommonJS, JSX: api.JSXTransform,
		Supported: lowered, LegalComments: api.LegalCommentsNone, TreeShaking: api.TreeShakingFalse, LogLevel: api.LogLevelSilent}
	// A tsconfig's other options (decorators, JSX) change nothing that is looked at.
	o.TsconfigRaw = fmt.Sprintf(`{"compilerOptions":{"verbatimModuleSyntax":%t,"experimentalDecorators":true,"useDefineForClassFields":true}}`, keepImports)
	r := api.Transform(text, o)
	if awaits := topLevelAwaits(r.Errors); len(awaits) > 0 {
		text = withoutAwaits(text, awaits)
		r = api.Transform(text, o)
	}
	if len(r.Errors) > 0 {
		e := r.Errors[0]
		if e.Location == nil {
			return nil, errors.New(e.Text)
		}
		return nil, fmt.Errorf("line %d: %s", e.Location.Line, e.Text)
	}
	code := string(r.Code)
	program, err := parser.ParseFile(nil, "", code, parser.IgnoreRegExpErrors, parser.WithDisableSourceMaps)
	if err != nil { // goja takes a field named get or static for a modifier
		o.Supported = maps.Clone(lowered)
		for _, syntax := range []string{"class-field", "class-static-field", "class-private-field", "class-private-static-field"} {
			o.Supported[syntax] = false
		}
		code = string(api.Transform(text, o).Code)
		if program, err = parser.ParseFile(nil, "", code, parser.IgnoreRegExpErrors, parser.WithDisableSourceMaps); err != nil {
			return nil, err
		}
	}
	return &source{program: program, code: code, remap: func() []byte {
		o.Sourcemap, o.SourcesContent = api.SourceMapExternal, api.SourcesContentExclude
		return api.Transform(text, o).Map
	}}, nil
}

// The bounds of what is parsed. The parsers call themselves for each bracket
// and for each operator that binds to the right (a => a => …), up to 3.4 kB of
// stack each, and a stack of 1 GB ends the process; goja's needs the square of
// their number in time.
const (
	maxNesting = 1000    // brackets within brackets
	maxRun     = 10_000  // words and operators around a place, without a comma or semicolon between
	maxFile    = 1 << 19 // bytes
)

// tooDeep tells by a look at the bytes that a text could use up the stack.
func tooDeep(text string) error {
	var runs [maxNesting + 1]int // of each bracket that is open
	depth, sum, word := 0, 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				return errDeep
			}
			runs[depth] = 0
		case ')', ']', '}':
			if depth > 0 {
				sum -= runs[depth]
				depth--
			}
		case ',', ';':
			sum -= runs[depth]
			runs[depth] = 0
		}
		letter := c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
		if letter && !word || strings.IndexByte("=?:!~+-*/%&|<>^", c) >= 0 {
			runs[depth]++
			sum++
		}
		if word = letter; sum > maxRun {
			return errDeep
		}
	}
	return nil
}

var errDeep = errors.New("its expressions lie too deep in each other to be parsed")

type place struct{ line, column int } // from 1, and from 0 in bytes

func topLevelAwaits(messages []api.Message) []place {
	var list []place
	for _, m := range messages {
		if m.Location == nil || !strings.HasPrefix(m.Text, "Top-level await") {
			return nil
		}
		list = append(list, place{m.Location.Line, m.Location.Column})
	}
	return list
}

// withoutAwaits writes "void " for each top-level await, an operator of the
// same length and rank, and blanks for that of a "for await", so that
// CommonJS takes the text and no position moves.
func withoutAwaits(text string, awaits []place) string {
	b := []byte(text)
	starts := lineStarts(text)
	for _, at := range awaits {
		if at.line > len(starts) {
			continue
		}
		i := starts[at.line-1] + at.column
		if i+5 > len(b) || string(b[i:i+5]) != "await" {
			continue
		}
		word := "void "
		if bytes.HasSuffix(bytes.TrimRight(b[:i], " \t\r\n"), []byte("for")) {
			word = "     "
		}
		copy(b[i:], word)
	}
	return string(b)
}

// lineStarts are the offsets of the lines of text, as esbuild counts lines.
func lineStarts(text string) []int {
	starts := []int{0}
	for i, r := range text {
		switch {
		case r == '\n', r == '\r' && (i+1 >= len(text) || text[i+1] != '\n'):
			starts = append(starts, i+1)
		case r == '\u2028' || r == '\u2029':
			starts = append(starts, i+3)
		}
	}
	return starts
}

// line is the line in the user's file that a node stands on; 1 for what
// esbuild itself added.
func (s *source) line(n ast.Node) int {
	if s.direct {
		return sort.SearchInts(s.starts, int(n.Idx0()))
	}
	if original, _, _ := s.original(n); original > 0 {
		return original + s.offset
	}
	return 1 + s.offset
}

// original is the line and column (in UTF-16 units) of the user's text that
// esbuild's source map says for a node, and whether it says so of the node itself
// and not of something before it. Line 0: it says nothing.
func (s *source) original(n ast.Node) (line, column int, exact bool) {
	if s.maps == nil {
		maps, err := sourcemap.Parse("", s.remap())
		if err != nil {
			return 0, 0, false
		}
		s.maps, s.starts = maps, lineStarts(s.code)
	}
	at := min(max(int(n.Idx0())-1, 0), len(s.code))
	row := sort.SearchInts(s.starts, at+1)
	col := at - s.starts[row-1]
	_, _, line, column, ok := s.maps.Source(row, col)
	if !ok {
		return 0, 0, false
	}
	if col > 0 {
		_, _, l, c, ok := s.maps.Source(row, col-1)
		exact = !ok || l != line || c != column
	} else {
		exact = true
	}
	return line, column, exact
}
