package hostops

import (
	"path/filepath"
	"strings"
	"unicode"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// commandWidth is how many characters of a command line people get to see.
const commandWidth = 80

// What a program's credentials are called on command lines: --password=x,
// PGPASSWORD=x, "api_key": "x", ?sslpassword=x.
const secretName = `[\w-]*(?:pass(?:word|wd|phrase)?|pwd|token|secret|api[-_]?key)`

const secretValue = `("[^"]*"|'[^']*'|[^\s&"']+)`

var (
	// Up to the last @ of the word: a password may hold one that should have
	// been percent-encoded.
	secretInURL = lazyregexp.New(`(://[^:/?#@\s]*:)\S*@`)
	secretGiven = lazyregexp.New(`(?i)(` + secretName + `["']?[=:]\s*)` + secretValue)
	secretAfter = lazyregexp.New(`(?i)((?:^|\s)--?` + secretName + `\s+)("[^"]*"|'[^']*'|[^\s-]\S*)`)
	secretFlag  = lazyregexp.New(`(?i)^--?` + secretName + `$`)
	secretArg   = lazyregexp.New(`(?is)^([\w-]*` + secretName + `=).+$`)
)

// Command is the command line for people: folders of programs and scripts left
// out, credentials masked, nothing that a terminal would obey, at most 80
// characters.
func (p Process) Command() string {
	words := make([]string, 0, len(p.Args))
	for i, arg := range p.Args {
		before := ""
		if i > 0 {
			before = p.Args[i-1]
		}
		switch {
		case secretFlag().MatchString(before) && !strings.HasPrefix(arg, "-"):
			arg = "***"
		case before != "-c": // a shell's script is masked by the word
			arg = secretArg().ReplaceAllString(arg, "$1***")
		}
		words = append(words, shorten(arg))
	}
	text := oneLine(strings.Join(words, " "))
	if text == "" {
		text = oneLine(p.Name)
	}
	text = secretInURL().ReplaceAllString(text, "$1***@")
	text = secretGiven().ReplaceAllString(text, "$1***")
	text = secretAfter().ReplaceAllString(text, "$1***")
	if runes := []rune(text); len(runes) > commandWidth {
		text = string(runes[:commandWidth-1]) + "…"
	}
	return text
}

func shorten(arg string) string {
	if filepath.IsAbs(arg) && !strings.ContainsAny(arg, " :") {
		return filepath.Base(arg)
	}
	return arg
}

// oneLine leaves out line breaks and escape sequences' control characters: any
// process may put them into its title.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
