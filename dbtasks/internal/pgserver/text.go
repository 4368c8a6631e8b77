package pgserver

import (
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// lastLines is the end of a program's output, on one line.
func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return masked(strings.Join(lines, "; "))
}

var secret = lazyregexp.New(`(://[^:/@\s]*:)[^@\s]*@|((?i:pass(?:word)?|pwd|secret|token)\s*=\s*)('[^']*'|"[^"]*"|[^\s&]+)`)

// masked hides what looks like a password in a command or in its output.
func masked(text string) string {
	return secret().ReplaceAllStringFunc(text, func(found string) string {
		m := secret().FindStringSubmatch(found)
		if m[1] != "" {
			return m[1] + "***@"
		}
		return m[2] + "***"
	})
}
