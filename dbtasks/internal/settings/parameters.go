package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// passedOn are the parameters of libpq and pgx that pgx takes out of the
// connection string itself, so that they never reach the server as settings;
// with the values each may have, nil: any. Of those that decide over safety a
// value that is not among them is refused.
var passedOn = map[string]struct {
	values []string
	safety bool
}{
	"target_session_attrs":    {values: []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
	"channel_binding":         {values: []string{"prefer", "disable", "require"}, safety: true},
	"sslnegotiation":          {values: []string{"postgres", "direct"}},
	"sslsni":                  {values: []string{"1", "0"}},
	"sslcertmode":             {values: []string{"allow", "disable", "require"}, safety: true},
	"min_protocol_version":    {values: []string{"3.0", "3.2", "latest"}},
	"max_protocol_version":    {values: []string{"3.0", "3.2", "latest"}},
	"default_query_exec_mode": {values: []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}},
	"require_auth":            {},
	"krbsrvname":              {},
	"krbspn":                  {},
	"passfile":                {},
}

// query reads the parameters into a URL.
type query struct {
	u            *URL
	secrets      *secrets
	hosts, ports []string
}

func (q *query) read(text string) error {
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, okName := decode(rawName)
		value, okValue := decode(rawValue)
		if !okName || !okValue {
			return q.u.Origin.wrong(fmt.Sprintf(badEncoding, "parameters"), q.u.example())
		}
		if err := q.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) set(name, value string) error {
	u := q.u
	switch name {
	case "connection_limit", "pool_max_conns":
		return q.limit(jsproject.Form(name), value)
	case "pool_timeout":
		u.PoolTimeout = u.seconds(name, value, defaultPoolTimeout)
	case "connect_timeout":
		if u.ConnectTimeout = u.seconds(name, value, defaultConnectTimeout); u.ConnectTimeout == 0 {
			u.ConnectTimeout = defaultConnectTimeout
		}
	case "socket_timeout":
		u.SocketTimeout = u.seconds(name, value, 0)
	case "statement_cache_size":
		if n, err := strconv.Atoi(value); err == nil && n >= 0 && n <= math.MaxInt32 {
			u.StatementCacheSize = n
		} else {
			u.note(name, "is no whole number")
		}
	case "pgbouncer":
		u.PgBouncer = u.yes(name, value)
	case "schema":
		u.Schema = value
	case "search_path":
		u.searchPath = value
	case "application_name", "fallback_application_name":
		if name == "application_name" || u.ApplicationName == "" {
			u.ApplicationName = value
		}
	case "options":
		return q.options(value)
	case "host":
		q.hosts = strings.Split(value, ",")
		if len(q.ports) != len(q.hosts) {
			q.ports = q.ports[:1]
		}
	case "port":
		q.ports = strings.Split(value, ",")
	case "user":
		u.User = value
	case "password":
		q.secrets.password = value
	case "dbname":
		u.Database = value
	default:
		return q.setTLS(name, value)
	}
	return nil
}

// tlsModes from the weakest to the strongest.
var tlsModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

func (q *query) setTLS(name, value string) error {
	u := q.u
	switch name {
	case "sslmode":
		if value == "no-verify" { // node-postgres'
			value = "require"
		}
		if !slices.Contains(tlsModes, value) {
			return u.bad(name, strings.Join(tlsModes[:5], ", ")+" or "+tlsModes[5], "require")
		}
		u.tls.atLeast(value)
	case "ssl": // node-postgres', postgres.js' and JDBC's
		switch {
		case value == "0" || value == "false":
			u.tls.atLeast("disable")
		case value == "1" || value == "true" || value == "no-verify":
			u.tls.atLeast("require")
		case slices.Contains(tlsModes, value):
			u.tls.atLeast(value)
		default: // TLS to both of them
			u.note(name, "is none that a driver knows: read as require")
			u.tls.atLeast("require")
		}
	case "sslaccept":
		if u.tls.accept = value; value != "strict" && value != "accept_invalid_certs" {
			u.note(name, "is none that Prisma knows: read as strict")
			u.tls.accept = "strict"
		}
	case "sslcert":
		u.tls.cert = value
	case "sslkey":
		u.tls.key = value
	case "sslrootcert":
		u.tls.rootCert = value
	case "sslidentity":
		u.tls.identity = value
	case "sslpassword":
		q.secrets.sslPassword = value
	default:
		return q.pass(name, value)
	}
	return nil
}

// atLeast sets a mode; of two that are written the stronger one counts.
func (t *tlsSettings) atLeast(mode string) {
	if t.mode == "" || slices.Index(tlsModes, mode) > slices.Index(tlsModes, t.mode) {
		t.mode = mode
	}
}

func (q *query) pass(name, value string) error {
	known, ok := passedOn[name]
	switch {
	case !ok:
		if !slices.Contains(q.u.Ignored, name) {
			q.u.Ignored = append(q.u.Ignored, name)
		}
	case known.values == nil || slices.Contains(known.values, value):
		q.u.passed[name] = value
	case known.safety:
		last := len(known.values) - 1
		return q.u.bad(name, strings.Join(known.values[:last], ", ")+" or "+known.values[last], known.values[last])
	default:
		q.u.note(name, "is none that libpq knows")
	}
	return nil
}

// note says that a parameter's value was not used. The value is not shown: it
// may be the end of a password that was not encoded.
func (u *URL) note(name, why string) {
	note := fmt.Sprintf("%s of %s %s", name, u.Origin.Variable, why)
	if !strings.Contains(why, ":") {
		note += ": not used"
	}
	u.Notes = append(u.Notes, note)
}

// seconds reads a number of seconds, also a broken one.
func (u *URL) seconds(name, value string, otherwise time.Duration) time.Duration {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n < 0 || n > math.MaxInt32 || math.IsNaN(n) {
		u.note(name, "is no number of seconds")
		return otherwise
	}
	return time.Duration(n * float64(time.Second))
}

// yes reads a switch.
func (u *URL) yes(name, value string) bool {
	switch strings.ToLower(value) {
	case "true", "1", "yes", "on":
		return true
	case "false", "0", "no", "off", "":
		return false
	}
	u.note(name, "is neither true nor false")
	return false
}

// bad is the error of a parameter's value. The value is not shown: it may be
// the end of a password that was not encoded.
func (u *URL) bad(name, want, instead string) error {
	return u.Origin.wrong(fmt.Sprintf("has a wrong %s: it should be %s", name, want), u.line(name, instead, name))
}
