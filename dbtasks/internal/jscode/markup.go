package jscode

import "strings"

// script is one script block of a Svelte or Vue file.
type script struct {
	text string
	line int // lines above it
	lang string
}

// scriptBlocks cuts the script blocks out of a Svelte or Vue file. It knows
// comments, attributes (with > in quotes) and that the text of script and
// style is not markup.
func scriptBlocks(content string) []script {
	var list []script
	for i := 0; i < len(content); {
		open := strings.IndexByte(content[i:], '<')
		if open < 0 {
			return list
		}
		i += open
		if strings.HasPrefix(content[i:], "<!--") {
			end := strings.Index(content[i+4:], "-->")
			if end < 0 {
				return list
			}
			i += 4 + end + 3
			continue
		}
		name := tagName(content[i+1:])
		if name == "" {
			i++
			continue
		}
		attributes, end := tagAttributes(content, i+1+len(name))
		i = end
		lower := strings.ToLower(name)
		if (lower != "script" && lower != "style" && lower != "textarea") || strings.HasSuffix(content[:end], "/>") {
			continue
		}
		length := closing(content[i:], lower)
		if lower == "script" {
			list = append(list, script{text: content[i : i+length], line: strings.Count(content[:i], "\n"), lang: attributes["lang"]})
		}
		i += length
	}
	return list
}

func tagName(s string) string {
	n := 0
	for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z' || n > 0 && (s[n] >= '0' && s[n] <= '9' || s[n] == '-' || s[n] == ':' || s[n] == '.')) {
		n++
	}
	return s[:n]
}

// tagAttributes reads the attributes from i on; end is behind the tag's ">".
// A value in braces is an expression of Svelte's, which may hold any of these.
func tagAttributes(s string, i int) (attributes map[string]string, end int) {
	attributes = map[string]string{}
	name := ""
	for i < len(s) {
		switch c := s[i]; c {
		case '>':
			return attributes, i + 1
		case '"', '\'':
			length := strings.IndexByte(s[i+1:], c)
			if length < 0 {
				return attributes, len(s)
			}
			attributes[name] = s[i+1 : i+1+length]
			name, i = "", i+length+2
		case '{':
			i = braces(s, i)
		case ' ', '\t', '\n', '\r', '/', '=':
			if c == '=' && i+1 < len(s) && !strings.ContainsRune("\"'{ \t\r\n>", rune(s[i+1])) { // lang=ts
				length := strings.IndexAny(s[i+1:], " \t\r\n>")
				if length < 0 {
					return attributes, len(s)
				}
				attributes[name] = s[i+1 : i+1+length]
				name, i = "", i+1+length
				continue
			}
			i++
		default:
			length := strings.IndexAny(s[i:], "= \t\r\n>/{\"'")
			if length <= 0 {
				length = len(s) - i
			}
			name = s[i : i+length]
			i += length
		}
	}
	return attributes, len(s)
}

// braces is the end of {…}, strings in it left alone.
func braces(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'', '`':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		}
	}
	return len(s)
}

// closing is the length of the text before </name.
func closing(s, name string) int {
	for i := 0; ; {
		at := strings.Index(s[i:], "</")
		if at < 0 {
			return len(s)
		}
		i += at
		if rest := s[i+2:]; len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
			return i
		}
		i += 2
	}
}

// frontmatter is the code between the two --- of an .astro file, and how many
// lines stand above it.
func frontmatter(content string) (code string, line int, ok bool) {
	start := strings.Index(content, "---")
	if start < 0 || strings.TrimSpace(content[:start]) != "" {
		return "", 0, false
	}
	code, _, ok = strings.Cut(content[start+3:], "\n---")
	return code, strings.Count(content[:start], "\n"), ok
}
