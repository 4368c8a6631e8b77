package settings

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/joho/godotenv"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// assigned is one assignment of a .env file, as the app's own parser takes it.
type assigned struct {
	name, value string // without quotes; references to other variables as they are written
	line, last  int    // where it begins and ends, counted from 1
}

// grammar is how the app's tools read the text of a .env file. What is no
// assignment to them is none here: such lines are skipped, not refused.
type grammar func(text string) []assigned

// White space as JavaScript has it (\s): a byte-order mark and the no-break
// space belong to it.
const space = `[\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}]`

// dotenvLine is what npm's dotenv takes for an assignment: the name, "=" or
// ": ", and a value in one of three quotes, which may go over several lines,
// or up to a "#". A quote that is not closed is a character like any other.
var dotenvLine = lazyregexp.New(strings.NewReplacer("SPACE", space).Replace(
	`(?m)^SPACE*(?:exportSPACE+)?([\w.-]+)(?:SPACE*=SPACE*?|:SPACE+?)` +
		`(SPACE*'(?:\\'|[^'])*'|SPACE*"(?:\\"|[^"])*"|SPACE*` + "`(?:\\\\`|[^`])*`" + `|[^#\r\n]+)?SPACE*(?:#.*)?$`))

// dotenvGrammar is that of npm's dotenv 16 to 18: Next.js, Nuxt, NestJS, Vite
// up to 7, and every program that imports it.
func dotenvGrammar(text string) []assigned {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var list []assigned
	line, counted := 1, 0
	for _, at := range dotenvLine().FindAllStringSubmatchIndex(text, -1) {
		a := assigned{name: text[at[2]:at[3]]}
		line, counted = line+strings.Count(text[counted:at[2]], "\n"), at[2]
		raw, end := "", at[3]
		if at[4] >= 0 {
			raw, end = trimSpace(text[at[4]:at[5]]), at[5]
		}
		a.line, a.last = line, line+strings.Count(strings.TrimRight(text[at[2]:end], "\n"), "\n")
		a.value = unquote(raw)
		list = append(list, a)
	}
	values(list)
	return list
}

func trimSpace(text string) string {
	return strings.Trim(text, "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff")
}

// unquote makes of a value the form that godotenv reads as dotenv reads the
// value: in double quotes where it begins with one, because \n and \r are
// line ends there, else in single ones.
func unquote(raw string) string {
	inner, quote := raw, byte('\'')
	if raw != "" && raw[0] == '"' {
		quote = '"'
	}
	if n := len(raw); n >= 2 && strings.IndexByte("'\"`", raw[0]) >= 0 && raw[n-1] == raw[0] {
		inner = raw[1 : n-1]
	}
	if quote == '"' {
		// A backslash is one unless it makes a line end.
		inner = strings.NewReplacer(`\n`, `\n`, `\r`, `\r`, `\`, markBackslash).Replace(inner)
	}
	if quote == '\'' {
		inner = strings.ReplaceAll(inner, `\`, markBackslash)
	}
	return string(quote) + marked.Replace(inner) + string(quote)
}

// godotenv takes these characters for its own; a value keeps them as marks of
// the Unicode area that is kept free of characters.
const (
	markBackslash = "\ufdd0"
	markDouble    = "\ufdd1"
	markSingle    = "\ufdd2"
	markDollar    = "\ufdd3"
	marks         = markBackslash + markDouble + markSingle + markDollar
)

var (
	marked   = strings.NewReplacer(`"`, markDouble, `'`, markSingle, `$`, markDollar)
	unmarked = strings.NewReplacer(markBackslash, `\`, markDouble, `"`, markSingle, `'`, markDollar, `$`)
)

// values has godotenv read each value: it parses, but only what dotenv takes
// for an assignment is put before it, one by one, so that both agree. The names
// stay ours, because godotenv refuses some that dotenv takes.
func values(list []assigned) {
	for i, a := range list {
		read, err := unmarshal("V=" + a.value)
		if err != nil { // not met in 5 minutes of fuzzing: the quotes stay then
			continue
		}
		list[i].value = unmarked.Replace(read["V"])
	}
}

// unmarshal guards against a panic of the parser on text it does not foresee.
func unmarshal(text string) (values map[string]string, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("unreadable")
		}
	}()
	return godotenv.Unmarshal(text)
}

// noText is what is wrong with a file that is no text in UTF-8; "": nothing.
func noText(text []byte) string {
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) || bytes.IndexByte(text, 0) >= 0 {
		return "is no UTF-8 text (UTF-16, as PowerShell writes it?): save it as UTF-8"
	}
	if bytes.ContainsAny(text, marks) {
		return fmt.Sprintf("has one of the characters %+q, which no text has", marks)
	}
	return ""
}
