package scaffold

import "strings"

// code is JavaScript or TypeScript with comments and the insides of strings,
// templates and regular expressions blanked out, byte for byte, so that what is
// found in it is code. Code within a template's ${} is kept. JSX is read as if
// it were code: an apostrophe in its text blanks the rest of that line.
func code(text string) string {
	b := []byte(text)
	blank := func(from, to int) {
		for i := from; i < to && i < len(b); i++ {
			if b[i] != '\n' && b[i] != '\r' {
				b[i] = ' '
			}
		}
	}
	var templates []int // the depth of braces at which each open ${ ends
	depth := 0
	last := byte(0) // the last byte of code that is no blank
	for i := 0; i < len(text); {
		c, end := text[i], i+1
		switch {
		case strings.HasPrefix(text[i:], "//"):
			end = i + lineLength(text[i:])
			blank(i, end)
			c = 0
		case strings.HasPrefix(text[i:], "/*"):
			end = endAfter(text, i+2, "*/")
			blank(i, end)
			c = 0
		case c == '\'' || c == '"':
			end = quoted(text, i)
			inside := end
			if text[end-1] == c {
				inside--
			}
			blank(i+1, inside)
		case c == '`', c == '}' && len(templates) > 0 && templates[len(templates)-1] == depth:
			if c == '}' {
				templates = templates[:len(templates)-1]
			}
			var opens bool
			end, opens = templateText(text, i+1)
			blank(i+1, end-1)
			c = '`'
			if opens {
				templates = append(templates, depth)
				c = '{'
			}
		case c == '/' && strings.IndexByte("(,=:[!&|?{};+-*%<>~^\x00", last) >= 0:
			end = regexpEnd(text, i)
			blank(i+1, end-1)
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if c > ' ' {
			last = c
		}
		i = end
	}
	return string(b)
}

func lineLength(text string) int {
	if n := strings.IndexAny(text, "\r\n"); n >= 0 {
		return n
	}
	return len(text)
}

func endAfter(text string, from int, mark string) int {
	if n := strings.Index(text[min(from, len(text)):], mark); n >= 0 {
		return from + n + len(mark)
	}
	return len(text)
}

// quoted is the end of the string that begins at i; one that is not closed
// ends with its line.
func quoted(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case text[i]:
			return j + 1
		case '\n':
			return j
		}
	}
	return len(text)
}

// templateText is the end of the template's text from i: behind its "`", or behind
// a "${" that opens code.
func templateText(text string, i int) (end int, opens bool) {
	for ; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '`':
			return i + 1, false
		case strings.HasPrefix(text[i:], "${"):
			return i + 2, true
		}
	}
	return len(text), false
}

func regexpEnd(text string, i int) int {
	class := false
	for j := i + 1; j < len(text); j++ {
		switch text[j] {
		case '\\':
			j++
		case '[':
			class = true
		case ']':
			class = false
		case '/':
			if !class {
				return j + 1
			}
		case '\n':
			return i + 1 // it was a division
		}
	}
	return i + 1
}

// object is a literal in code: where it stands, and its own keys.
type object struct {
	open, close int // of its braces
	keys        map[string]int
	spread      bool // it takes over keys of others
}

// objectAt reads the literal whose brace is at open; src is the text that code
// was made of. False: it is not closed.
func objectAt(src, code string, open int) (object, bool) {
	o := object{open: open, keys: map[string]int{}}
	depth, fresh := 0, false // fresh: a key may begin here
	for i := open; i < len(code); i++ {
		switch c := code[i]; {
		case c == '{' || c == '[' || c == '(':
			depth++
			fresh = depth == 1
		case c == '}' || c == ']' || c == ')':
			if depth--; depth == 0 {
				o.close = i
				return o, true
			}
		case depth == 1 && c == ',':
			fresh = true
		case c <= ' ':
		case fresh && strings.HasPrefix(code[i:], "..."):
			o.spread, fresh = true, false
		case fresh:
			o.keys[keyAt(src, i)] = i
			fresh = false
		}
	}
	return o, false
}

// keyAt is the name or string that begins at i.
func keyAt(src string, i int) string {
	if src[i] == '\'' || src[i] == '"' {
		return strings.Trim(src[i:quoted(src, i)], `'"`)
	}
	end := i
	for end < len(src) && isName(src[end]) {
		end++
	}
	return src[i:end]
}

func isName(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
