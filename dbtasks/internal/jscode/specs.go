package jscode

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// importSpecs are the specifiers of everything in a text that may be an import:
// a quoted word behind from, import or require. It takes strings and comments
// for imports too, and misses none that the parser finds; so a module that is
// connected to nothing by these need not be parsed, which takes far longer.
func importSpecs(text string) []string {
	var list []string
	for _, word := range []string{"from", "import", "require"} {
		for i := 0; ; {
			at := strings.Index(text[i:], word)
			if at < 0 {
				break
			}
			i += at + len(word)
			if spec, ok := quoted(text, i); ok {
				list = append(list, spec)
			}
		}
	}
	return list
}

// quoted is the quoted word that follows i, parentheses between left out.
func quoted(text string, i int) (string, bool) {
	for i = skipBlanks(text, i); i < len(text) && text[i] == '('; {
		i = skipBlanks(text, i+1)
	}
	if i >= len(text) || text[i] != '\'' && text[i] != '"' && text[i] != '`' {
		return "", false
	}
	end := strings.IndexByte(text[i+1:], text[i])
	if end < 0 || strings.IndexByte(text[i+1:i+1+end], '\n') >= 0 {
		return "", false
	}
	return text[i+1 : i+1+end], true
}

// skipBlanks is the offset behind blanks and comments.
func skipBlanks(text string, i int) int {
	for i < len(text) {
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				return len(text)
			}
			i += end + 2
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				return len(text)
			}
			i += end
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\ufeff' {
				return i
			}
			i += size
		}
	}
	return i
}
