// Package plain makes text that others wrote fit for a terminal: the names of
// roles, databases, folders and scripts, messages of servers, titles of
// processes. A control character in one of them would move the cursor, rename
// the window or clear the screen; a bidirectional control or a character without
// width would show another name than is there. Each such rune is shown as its
// escape in Go's and JSON's spelling: \x1b, \u202e.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"fmt"
)

// MostRunes is how long a text may be that is shown to people: a server may
// send a message of a gigabyte. What is behind is left out, with a "…".
const MostRunes = 2000

// Line is s in one line, MostRunes long at most: line breaks and tabs are
// escaped, too, so that a name can't pass for a line of ours.
func Line(s string) string { return shown(s, "", MostRunes) }

// Text is s with its line breaks and tabs, however long: the lines of a file.
func Text(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = shown(lines[i], "\t", len(s))
	}
	return strings.Join(lines, "\n")
}

// shown escapes what is not to be seen, but for the runes of keep, and cuts.
func shown(s, keep string, most int) string {
	if len(s) <= most && isPlain(s, keep) {
		return s
	}
	var b strings.Builder
	for n, i := 0, 0; i < len(s); n++ {
		if n == most {
			b.WriteString("…")
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < 0x100 && !visible(r, keep):
			fmt.Fprintf(&b, `\x%02x`, first(r, s[i]))
		case visible(r, keep):
			b.WriteString(s[i : i+size])
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// first is the number to escape: the byte where it is no part of a rune.
func first(r rune, b byte) int {
	if r == utf8.RuneError {
		return int(b)
	}
	return int(r)
}

func isPlain(s, keep string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !visible(r, keep) {
			return false
		}
	}
	return true
}

// visible tells whether a rune is shown as itself: the space and what Unicode
// counts as letters, marks, numbers, punctuation and symbols, but for the
// letters that look like nothing (Hangul's fillers).
func visible(r rune, keep string) bool {
	switch r {
	case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800:
		return false
	}
	return unicode.IsPrint(r) || strings.ContainsRune(keep, r)
}

// JSON escapes in an encoded JSON text what a terminal would obey. Nothing but
// the spelling of strings changes: outside of them there is no such rune.
func JSON(encoded []byte) []byte {
	s := string(encoded)
	if isPlain(s, "\n") {
		return encoded
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case visible(r, "\n"):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return []byte(b.String())
}

// Safe is text that is fit for a terminal as it stands, line breaks included.
type Safe string

// Sprintf is fmt.Sprintf whose arguments are each in one line, as Line has it.
// The format is ours and stays as it is, and so does an argument that is Safe.
func Sprintf(format string, args ...any) string {
	safe := make([]any, len(args))
	for i, a := range args {
		switch a.(type) {
		case bool, int, int32, int64, uint16, uint32, float64, Safe:
			safe[i] = a
		default:
			safe[i] = argument{a}
		}
	}
	return fmt.Sprintf(format, safe...)
}

// argument is formatted by its own verb, and then made one line.
type argument struct{ value any }

func (a argument) Format(f fmt.State, verb rune) {
	_, _ = f.Write([]byte(Line(fmt.Sprintf(fmt.FormatString(f, verb), a.value))))
}
