package plain

import (
	"runtime"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Word is s as one word of a command to copy: quoted where a shell would take
// a part of it for something else, $'…' with escapes where a terminal would. On
// Windows it stands between double quotes, which both shells there know.
func Word(s string) string {
	if runtime.GOOS == "windows" {
		if !strings.ContainsAny(s, " \t\"&|<>^%$`';(){},@") && Line(s) == s && s != "" {
			return s
		}
		return `"` + strings.ReplaceAll(Line(s), `"`, `""`) + `"`
	}
	word, err := syntax.Quote(strings.ReplaceAll(s, "\x00", ""), syntax.LangBash)
	if err != nil { // bytes that are no text: what bash can't say either
		word, _ = syntax.Quote(Line(s), syntax.LangBash)
	}
	return Line(word)
}
