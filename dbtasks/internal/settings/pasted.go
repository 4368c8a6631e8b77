package settings

import (
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// withinText is a URL within what was pasted around it.
var withinText = lazyregexp.New(`postgres(?:ql)?://[^\s"'` + "`" + `]+`)

// pasted tells what is no URL by itself but was copied for one: a psql command,
// a line with the variable's name, quotes within quotes, a value that dotenvx
// has encrypted. The error is a *SettingError; nil: it is nothing of these.
func pasted(raw string, origin Origin, root string, form jsproject.Form) error {
	text := strings.TrimSpace(raw)
	if strings.HasPrefix(text, "encrypted:") {
		err := origin.wrong("is encrypted by dotenvx, and its key is not in this environment: run this command within dotenvx", "")
		err.Next = "dotenvx run -- <this command>"
		return err
	}
	what := ""
	switch lower := strings.ToLower(text); {
	case strings.HasPrefix(lower, "psql "):
		what = "is a psql command, and should be the URL in it alone"
	case strings.HasPrefix(lower, "export ") || strings.HasPrefix(lower, strings.ToLower(origin.Variable)+"="):
		what = "has its own name in its value, and should be the URL alone"
	case text != "" && strings.ContainsAny(text[:1], "\"'`") && (len(text) == 1 || text[len(text)-1] != text[0]):
		what = "begins with a quote that is not closed"
	case text != "" && strings.ContainsAny(text[:1], "\"'`"):
		what = "has quotes within its quotes, and should be the URL alone"
	case strings.HasPrefix(lower, "postgres://"), strings.HasPrefix(lower, "postgresql://"):
		if strings.HasPrefix(text, "postgres") {
			return nil
		}
		what, text = "has its scheme in capitals, which drivers do not take", lower[:strings.Index(lower, "://")]+text[strings.Index(text, "://"):]
	default:
		return nil
	}
	inner := withinText().FindString(text)
	if inner == "" {
		return origin.wrong(what, exampleLine(origin.Variable, form))
	}
	u, err := parseURL(inner, origin, root, form)
	if err != nil {
		return origin.wrong(what, exampleLine(origin.Variable, form))
	}
	limit := u.Limit
	if limit == 0 {
		limit = suggestedLimit
	}
	return origin.wrong(what, u.WithLimit(limit))
}
