package checklist

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxShell is the size in bytes above which a text is no script of people's.
const maxShell = 64 << 10

// parseShell reads a shell line or file; nil where it is none.
func parseShell(text string) *syntax.File {
	if len(text) > maxShell {
		return nil
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	return file
}

// commands are the simple commands of a file, each as its words; a word that
// is not wholly literal keeps its literal parts. What "sh -c" and its like are
// given counts as well.
func commands(file *syntax.File) [][]string {
	if file == nil {
		return nil
	}
	var list [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			var words []string
			for _, w := range call.Args {
				words = append(words, literalWord(w))
			}
			list = append(list, words)
			for i, w := range words {
				if i > 0 && words[i-1] == "-c" || i > 0 && !strings.HasPrefix(w, "-") && strings.Contains(w, " ") && isRunner(words[0]) {
					list = append(list, commands(parseShell(w))...)
				}
			}
		}
		return true
	})
	return list
}

// isRunner tells whether a program takes whole command lines as its arguments.
func isRunner(program string) bool {
	return program == "concurrently" || program == "npx" || program == "start-server-and-test" || program == "wait-on" || program == "nodemon" || program == "eval"
}

func literalWord(w *syntax.Word) string {
	var b strings.Builder
	var parts func([]syntax.WordPart)
	parts = func(list []syntax.WordPart) {
		for _, p := range list {
			switch p := p.(type) {
			case *syntax.Lit:
				b.WriteString(strings.ReplaceAll(p.Value, "\\", ""))
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				parts(p.Parts)
			}
		}
	}
	parts(w.Parts)
	return b.String()
}
