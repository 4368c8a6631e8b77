package settings

import (
	"encoding/json"
	"fmt"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// The defaults of parameters that the URL leaves out.
const (
	defaultPort           = 5432
	defaultPoolTimeout    = 10 * time.Second // Prisma's
	defaultConnectTimeout = 5 * time.Second  // Prisma's
)

// Host is one server of a URL.
type Host struct {
	Name string // host name or address without brackets; a socket folder begins with "/"
	Port uint16
}

// URL is a connection URL as read: Prisma's dialect, libpq's and pgx's. No
// formatting of it shows a secret.
type URL struct {
	Origin             Origin
	User, Database     string        // default: the operating system's user, and the user's name
	Hosts              []Host        // at least one; default localhost:5432
	Limit              int           // connection_limit, pool_max_conns or dbtasks.pool_limit in options, the smallest; 0: not given
	PoolTimeout        time.Duration // pool_timeout, default 10 s; 0: wait for ever
	ConnectTimeout     time.Duration // connect_timeout, default 5 s; 0 is "for ever" to the app, and stays 5 s here
	SocketTimeout      time.Duration // socket_timeout; 0: none
	Schema             string        // schema, one name
	ApplicationName    string        // of the application; this tool's sessions are "dbtasks"
	Options            string        // options, as PGOPTIONS, without the limit
	PgBouncer          bool          // pgbouncer=true: no prepared statements, no search_path at login
	StatementCacheSize int           // statement_cache_size; 0: no prepared statements; -1: the driver's default
	Ignored            []string      // parameters that are not known, and not sent to the server
	Notes              []string      // values that were not used, and why, without any of them

	form       jsproject.Form   // in which this project writes the limit
	forms      []jsproject.Form // in which the limit stands in the URL
	fewer      *atomic.Bool     // a pooler refused the tool's own startup parameters; shared by copies of the URL
	searchPath string           // pgx's and PostgreSQL's own: a list, sent as it is
	tls        tlsSettings
	passed     map[string]string // libpq's own parameters, handed to pgx as they are
	root       string
	noStored   bool // no password of the environment's or of ~/.pgpass: the user named none for this place

	// A func, which fmt can't look into where it can't call Format (in another
	// struct's unexported field). Nil in a URL that was not parsed.
	secret func() secrets
}

type secrets struct {
	raw, password, sslPassword string
}

func (u *URL) secrets() secrets {
	if u.secret == nil {
		return secrets{}
	}
	return u.secret()
}

type tlsSettings struct {
	mode, accept                  string
	cert, key, rootCert, identity string
}

// Password is the password, decoded, for handing on through an environment.
func (u *URL) Password() string { return u.secrets().password }

// Raw is the URL as the user wrote it, password included: for the environment
// of a child process only.
func (u *URL) Raw() string { return u.secrets().raw }

// String is Masked.
func (u URL) String() string { return u.Masked() }

// GoString is Masked.
func (u URL) GoString() string { return u.Masked() }

// Format keeps every verb, %#v too, from showing a secret.
func (u URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.Masked())) }

// MarshalJSON writes the masked URL.
func (u URL) MarshalJSON() ([]byte, error) { return json.Marshal(u.Masked()) }

// parseURL reads a URL; its error is a *SettingError without any part that may
// be a password. form is how the project writes the limit.
func parseURL(raw string, origin Origin, root string, form jsproject.Form) (*URL, error) {
	if err := pasted(raw, origin, root, form); err != nil {
		return nil, err
	}
	// A comment may stand behind the URL in the environment and in quotes.
	raw, comment, commented := strings.Cut(raw, " #")
	u := &URL{Origin: origin, form: form, PoolTimeout: defaultPoolTimeout, ConnectTimeout: defaultConnectTimeout,
		StatementCacheSize: -1, passed: map[string]string{}, root: root, fewer: new(atomic.Bool)}
	hidden := &secrets{raw: strings.TrimSpace(raw)}
	u.secret = func() secrets { return *hidden }
	p, problem := split(hidden.raw)
	if commented && problem == "" && (strings.HasSuffix(hidden.raw, "@") || hostBehind.MatchString(comment)) {
		problem = unsplit
	}
	if problem != "" {
		return nil, origin.wrong(problem, u.example())
	}
	for _, part := range []struct {
		name, text string
		to         *string
	}{{"user", p.user, &u.User}, {"password", p.password, &hidden.password}, {"database", p.path, &u.Database}} {
		decoded, ok := decode(part.text)
		if !ok {
			return nil, origin.wrong(fmt.Sprintf(badEncoding, part.name), u.example())
		}
		*part.to = decoded
	}
	hosts, ports, problem := splitHosts(p.hosts)
	if problem != "" {
		return nil, origin.wrong(problem, u.example())
	}
	q := &query{u: u, secrets: hidden, hosts: hosts, ports: ports}
	if err := q.read(p.query); err != nil {
		return nil, err
	}
	if err := u.finish(q); err != nil {
		return nil, err
	}
	return u, nil
}

// hostBehind is what a comment has when it is the rest of a password with " #"
// in it: a URL without that rest would go to another host.
var hostBehind = regexp.MustCompile(`@[^@\s]*[/?:]`)

// exampleLine is the line to write where the user's own URL can't be repeated
// safely or is missing.
func exampleLine(variable string, form jsproject.Form) string {
	return fmt.Sprintf(`%s="postgresql://USER:PASSWORD@localhost:5432/DATABASE?%s"`, variable, limitText(form, suggestedLimit))
}

// ExampleLine is the line of .env.example.
func ExampleLine(form jsproject.Form) string {
	tail := limitText(form, suggestedLimit)
	if form == jsproject.ConnectionLimit {
		tail += "&pool_timeout=10" // read by the same drivers
	}
	return fmt.Sprintf(`%s="postgresql://app:secret@localhost:5432/shop?%s"`, DatabaseURL, tail)
}

func (u *URL) example() string { return exampleLine(u.Origin.Variable, u.form) }

// finish puts hosts and ports together and fills in what was left out.
func (u *URL) finish(q *query) error {
	if len(q.ports) > 1 && len(q.ports) != len(q.hosts) {
		return u.Origin.wrong(fmt.Sprintf("names %d hosts and %d ports", len(q.hosts), len(q.ports)), u.example())
	}
	for i, host := range q.hosts {
		port := q.ports[min(i, len(q.ports)-1)]
		n := uint64(defaultPort)
		if port != "" {
			var err error
			if n, err = strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				// What stands in the place of the port may be a part of a password.
				return u.Origin.wrong("has no number from 1 to 65535 after its host's colon (an unencoded password?)", u.example())
			}
		}
		if host == "" {
			host = "localhost"
		}
		u.Hosts = append(u.Hosts, Host{Name: host, Port: uint16(n)})
	}
	if u.User == "" {
		if me, err := user.Current(); err == nil {
			u.User = me.Username
		}
	}
	if u.Database == "" {
		u.Database = u.User
	}
	return nil
}
