package devserver

import "strings"

// simpleCommands splits a shell line as it stands in package.json into its
// simple commands, each as words without quotes, redirections dropped. A
// separator at the very end leaves an empty last command. It reports false for
// a line whose commands can't be told without a shell: subshells, command
// substitution outside of quotes, comments, an open quote.
func simpleCommands(line string) (commands [][]string, ok bool) {
	var (
		words   []string
		word    strings.Builder
		inWord  bool
		skip    bool // the next word is a redirection's target
		flush   = func() {}
		endWord = func() { flush(); inWord = false; word.Reset() }
	)
	flush = func() {
		if !inWord {
			return
		}
		if !skip {
			words = append(words, word.String())
		}
		skip = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch c {
		case '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			word.WriteString(line[i+1 : i+1+end])
			inWord = true
			i += end + 1
		case '"':
			for i++; i < len(line) && line[i] != '"'; i++ {
				if line[i] == '\\' && i+1 < len(line) && strings.IndexByte("\"\\$`", line[i+1]) >= 0 {
					i++
				}
				word.WriteByte(line[i])
			}
			if i >= len(line) {
				return nil, false
			}
			inWord = true
		case '\\':
			if i++; i < len(line) {
				word.WriteByte(line[i])
				inWord = true
			}
		case ' ', '\t', '\r':
			endWord()
		case '(', ')', '`':
			return nil, false
		case '#':
			if !inWord {
				return nil, false
			}
			word.WriteByte(c)
		case '>', '<':
			if inWord && strings.Trim(word.String(), "0123456789") == "" {
				inWord = false
				word.Reset()
			}
			endWord()
			for i+1 < len(line) && strings.IndexByte("<>&|", line[i+1]) >= 0 {
				i++
			}
			skip = true
		case ';', '\n', '|', '&':
			if c == '&' && i+1 < len(line) && line[i+1] == '>' {
				continue
			}
			endWord()
			commands, words, skip = append(commands, words), nil, false
			if c != ';' && c != '\n' && i+1 < len(line) && line[i+1] == c {
				i++
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	endWord()
	return append(commands, words), true
}
