package pgops

import "strings"

// queryLength is how much of a statement is kept, in bytes before masking.
const queryLength = 80

// firstWordsOf is how a statement begins, on one line. String literals and
// comments are left out: they may hold a password (ALTER ROLE … PASSWORD '…'). A literal
// that the server cut off counts to the end. E'…', U&'…' and $tag$…$tag$ are
// literals too (PostgreSQL's manual, 4.1.2). Whether a backslash before a quote
// escapes it depends on the literal's kind and a setting: all after it is left out.
func firstWordsOf(query string) string {
	var b strings.Builder
	for i := 0; i < len(query) && b.Len() < queryLength; {
		switch c := query[i]; {
		case c == '\'':
			b.WriteString("'…'")
			i = endOfLiteral(query, i)
		case c == '$':
			if tag := dollarTag(query[i:]); tag != "" {
				b.WriteString("'…'")
				if end := strings.Index(query[i+len(tag):], tag); end >= 0 {
					i += end + 2*len(tag)
				} else {
					i = len(query)
				}
				continue
			}
			b.WriteByte(c)
			i++
		case c == '"': // an identifier, in which a quote is a letter
			end := i + 1 + strings.IndexByte(query[i+1:], '"')
			if end <= i {
				end = len(query) - 1
			}
			b.WriteString(strings.Map(printable, query[i:end+1]))
			i = end + 1
		case strings.HasPrefix(query[i:], "--"):
			i += len(untilAfter(query[i:], "\n"))
		case strings.HasPrefix(query[i:], "/*"):
			i += len(untilAfter(query[i:], "*/"))
			if strings.Contains(query[i:], "*/") { // nested: where it ends is not worth telling
				i = len(query)
			}
		case c <= ' ' || c == 0x7f:
			if b.Len() > 0 && !strings.HasSuffix(b.String(), " ") {
				b.WriteByte(' ')
			}
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return strings.TrimSpace(strings.ToValidUTF8(b.String(), ""))
}

// endOfLiteral is the place behind the literal whose opening quote is at i.
func endOfLiteral(query string, i int) int {
	for i++; i < len(query); i++ {
		switch query[i] {
		case '\\':
			if i+1 < len(query) && query[i+1] == '\'' {
				return len(query)
			}
		case '\'':
			if i+1 < len(query) && query[i+1] == '\'' {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(query)
}

// dollarTag is the "$tag$" that s begins with; empty: it begins with none.
func dollarTag(s string) string {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			return s[:i+1]
		case c == '_' || c >= 0x80 || 'a' <= c|0x20 && c|0x20 <= 'z' || i > 1 && '0' <= c && c <= '9':
		default:
			return ""
		}
	}
	return ""
}

// untilAfter is s up to and with the first end; all of it where there is none.
func untilAfter(s, end string) string {
	if i := strings.Index(s, end); i >= 0 {
		return s[:i+len(end)]
	}
	return s
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
