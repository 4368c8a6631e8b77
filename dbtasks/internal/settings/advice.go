package settings

import (
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Without is the line to write without these parameters, secrets masked.
func (u *URL) Without(parameters ...string) string { return u.line("", "", parameters...) }

// WithoutTLS is the line to write for a server that has no TLS: without all
// that asks for it, channel binding too, which is nothing without TLS.
func (u *URL) WithoutTLS() string {
	return u.Without("sslmode", "ssl", "sslaccept", "channel_binding", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslidentity", "sslpassword", "uselibpqcompat")
}

// WithHost is the line to write with another host, its port kept.
func (u *URL) WithHost(host string) string {
	return u.edited(func(p *urlParts) {
		_, port, found := strings.Cut(p.hosts, ":")
		if p.hosts = host; found {
			p.hosts += ":" + port
		}
	}, "host", "hostaddr")
}

// OverTCP is the line to write to reach the same server by localhost instead of
// its socket.
func (u *URL) OverTCP() string {
	return u.edited(func(p *urlParts) { p.hosts = fmt.Sprintf("localhost:%d", u.Hosts[0].Port) }, "host", "port", "hostaddr")
}

// WithoutOptions is the line to write without options, the limit kept in a form
// that the project's driver takes.
func (u *URL) WithoutOptions() string {
	plain := *u
	plain.Options = ""
	limit := u.Limit
	if limit == 0 {
		limit = suggestedLimit
	}
	if u.form == jsproject.Options {
		return plain.WithLimit(limit)
	}
	return u.Without("options")
}

// WithDatabase is the line to write with another database.
func (u *URL) WithDatabase(name string) string {
	return u.edited(func(p *urlParts) { p.path, p.hasPath = encode(name), true }, "dbname")
}

func (u *URL) edited(edit func(*urlParts), drop ...string) string {
	p, problem := split(u.secrets().raw)
	if problem != "" {
		return u.example()
	}
	edit(&p)
	return u.Origin.Variable + "=" + quote(p.masked("", "", drop...))
}

// unfilled are passwords that stand in templates for one's own.
var unfilled = lazyregexp.New(`(?i)^(\[.*\]|<.*>|\{.*\}|\*+|x{3,}|(your|my|db|database|postgres|randompassword)?[-_ ]?pass(word|wd)?([-_ ]here)?|randompassword)$`)

// Unfilled tells that the password is a template's: [YOUR-PASSWORD], <password>,
// or the *** with which this tool shows it.
func (u *URL) Unfilled() bool { return unfilled().MatchString(u.Password()) }
