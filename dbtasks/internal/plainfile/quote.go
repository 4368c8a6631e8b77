package plainfile

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// quoted is a path as a shell takes it for one word.
func quoted(path string) string {
	word, err := syntax.Quote(path, syntax.LangPOSIX)
	if err != nil { // a control character
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return word
}
