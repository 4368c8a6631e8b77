package settings

import (
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// secretName matches the parameters whose value is a secret: password and
// sslpassword, and what other drivers and services have.
var secretName = lazyregexp.New(`(?i)passw|pwd|passphrase|secret|token|api_?key`)

// Masked is the URL as the user wrote it, with *** for each secret.
func (u *URL) Masked() string { return u.rewritten("", "") }

// line is a line for .env: the variable with the masked URL, in which name
// has another value and the parameters to drop are left out.
func (u *URL) line(name, value string, drop ...string) string {
	return u.Origin.Variable + "=" + quote(u.rewritten(name, value, drop...))
}

// quote puts a URL into double quotes. What .env files, their expansions and
// shells take for something else between them is percent-encoded: no way of
// quoting a $ is the same to all of them.
func quote(url string) string {
	return `"` + strings.NewReplacer("$", "%24", "`", "%60", `\`, "%5C", `"`, "%22", "!", "%21", "#", "%23").Replace(url) + `"`
}

// rewritten is the URL as the user wrote it, secrets masked, without the
// parameters to drop, and with name=value at the end where there is a name.
func (u *URL) rewritten(name, value string, drop ...string) string {
	p, problem := split(u.secrets().raw)
	if problem != "" {
		return "***"
	}
	return p.masked(name, value, drop...)
}

func (p urlParts) masked(name, value string, drop ...string) string {
	var b strings.Builder
	b.WriteString(p.scheme + "://")
	if p.user != "" || p.hasPassword {
		b.WriteString(p.user)
		if p.hasPassword {
			b.WriteString(":***")
		}
		b.WriteString("@")
	}
	b.WriteString(p.hosts)
	if p.hasPath {
		b.WriteString("/" + p.path)
	}
	var pairs []string
	for pair := range strings.SplitSeq(p.query, "&") {
		rawName, _, _ := strings.Cut(pair, "=")
		decoded, ok := decode(rawName)
		if pair == "" || slices.Contains(drop, decoded) {
			continue
		}
		if !ok || secretName().MatchString(decoded) {
			pair = rawName + "=***"
		}
		pairs = append(pairs, pair)
	}
	if name != "" {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		b.WriteString("?" + strings.Join(pairs, "&"))
	}
	return b.String()
}
