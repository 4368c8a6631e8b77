package settings

import (
	"slices"
	"strings"
)

// nodeGrammar is that of Node.js itself (util.parseEnv, node --env-file) from
// 20.12 on, which Vite reads its files with from 8 on. It differs from dotenv's
// in what people write: a quoted value ends at the next quote of its kind and
// the rest of the line is dropped, so that one that is not closed swallows the
// lines below it up to the next quote; a name may have any character; a
// byte-order mark belongs to the first name.
//
// Measured with Node 22.23 and 24.21, see the differential test. Node 20 takes a
// line without "=" together with the next assignment; that is not followed.
func nodeGrammar(text string) []assigned {
	whole := strings.ReplaceAll(text, "\r", "")
	rest := strings.TrimRight(whole, " \t\n")
	tail := len(whole) - len(rest) // what is not looked at
	lineOf := func(rest string) int { return 1 + strings.Count(whole[:len(whole)-tail-len(rest)], "\n") }
	var list []assigned
	for {
		rest = trimLeft(rest)
		if rest == "" {
			break
		}
		line, after, more := strings.Cut(rest, "\n")
		if line == "" || line[0] == '#' || !strings.Contains(line, "=") {
			if !more {
				break
			}
			rest = after
			continue
		}
		a := assigned{line: lineOf(rest)}
		name, value, _ := strings.Cut(rest, "=")
		if a.name = trimNode(strings.TrimPrefix(trimNode(name), "export ")); trimNode(name) == "" {
			rest = after
			continue
		}
		if value == "" || value[0] == '\n' {
			a.name = trimNode(name) // without a value "export " stays a part of the name
		}
		a.value, rest = nodeValue(value)
		a.last = max(a.line, lineOf(rest))
		list = append(list, a)
	}
	// The parser keeps a sorted map.
	slices.SortStableFunc(list, func(a, b assigned) int { return strings.Compare(a.name, b.name) })
	return list
}

// nodeValue is the value that text begins with, and what follows it.
func nodeValue(text string) (value, rest string) {
	if text == "" || text[0] == '\n' {
		return "", strings.TrimPrefix(text, "\n")
	}
	text = trimLeft(text)
	if text == "" {
		return "", ""
	}
	afterLine := func(text string) string {
		_, after, _ := strings.Cut(text, "\n")
		return after
	}
	if quote := text[:1]; strings.Contains("'\"`", quote) {
		if inner, after, closed := strings.Cut(text[1:], quote); closed {
			if quote == `"` {
				inner = strings.ReplaceAll(inner, `\n`, "\n")
			}
			return inner, afterLine(after)
		}
		line, _, _ := strings.Cut(text, "\n")
		return line, afterLine(text)
	}
	line, _, _ := strings.Cut(text, "\n")
	line, _, _ = strings.Cut(line, "#")
	return trimNode(line), afterLine(text)
}

// trimNode takes away what the parser takes for blanks.
func trimNode(text string) string { return strings.Trim(text, " \t\n") }

func trimLeft(text string) string { return strings.TrimLeft(text, " \t\n") }
