package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// passedOn are the parameters of libpq and pgx that pgx takes out of the
// connection string itself, so that they never reach the server as settings;
// with the values each may have, nil: any.
var passedOn = map[string][]string{
	"target_session_attrs":    {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"},
	"channel_binding":         {"prefer", "disable", "require"},
	"sslnegotiation":          {"postgres", "direct"},
	"sslsni":                  {"1", "0"},
	"sslcertmode":             {"allow", "disable", "require"},
	"min_protocol_version":    {"3.0", "3.2", "latest"},
	"max_protocol_version":    {"3.0", "3.2", "latest"},
	"default_query_exec_mode": {"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"},
	"require_auth":            nil,
	"krbsrvname":              nil,
	"krbspn":                  nil,
	"passfile":                nil,
}

// query reads the parameters into a URL.
type query struct {
	u            *URL
	secrets      *secrets
	hosts, ports []string
	limits       []string // the limit parameters seen
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
			return q.u.Origin.wrong(fmt.Sprintf(badEncoding, "parameters"), exampleLine(q.u.Origin.Variable))
		}
		if err := q.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) set(name, value string) error {
	u := q.u
	var err error
	switch name {
	case "connection_limit", "pool_max_conns":
		err = q.limit(name, value)
	case "pool_timeout":
		u.PoolTimeout, err = u.seconds(name, value)
	case "connect_timeout":
		if u.ConnectTimeout, err = u.seconds(name, value); u.ConnectTimeout == 0 {
			u.ConnectTimeout = defaultConnectTimeout
		}
	case "socket_timeout":
		u.SocketTimeout, err = u.seconds(name, value)
	case "statement_cache_size":
		u.StatementCacheSize, err = u.number(name, value)
	case "pgbouncer":
		err = u.oneOf(name, value, []string{"true", "false"})
		u.PgBouncer = value == "true"
	case "schema":
		u.Schema = value
	case "search_path":
		u.searchPath = value
	case "application_name", "fallback_application_name":
		if name == "application_name" || u.ApplicationName == "" {
			u.ApplicationName = value
		}
	case "options":
		u.Options = value
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
		err = q.setTLS(name, value)
	}
	return err
}

func (q *query) setTLS(name, value string) error {
	u := q.u
	switch name {
	case "sslmode":
		u.tls.mode = value
		if value == "no-verify" { // node-postgres'
			u.tls.mode = "require"
			return nil
		}
		return u.oneOf(name, value, []string{"prefer", "disable", "allow", "require", "verify-ca", "verify-full"})
	case "ssl": // node-postgres' and JDBC's; sslmode says it better
		if u.tls.mode == "" && value == "true" {
			u.tls.mode = "require"
		}
		return u.oneOf(name, value, []string{"true", "false"})
	case "sslaccept":
		u.tls.accept = value
		return u.oneOf(name, value, []string{"strict", "accept_invalid_certs"})
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

func (q *query) pass(name, value string) error {
	values, known := passedOn[name]
	if !known {
		if !slices.Contains(q.u.Ignored, name) {
			q.u.Ignored = append(q.u.Ignored, name)
		}
		return nil
	}
	q.u.passed[name] = value
	if values == nil {
		return nil
	}
	return q.u.oneOf(name, value, values)
}

// oneOf refuses a value that is not among those that may be.
func (u *URL) oneOf(name, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return u.bad(name, strings.Join(values[:len(values)-1], ", ")+" or "+values[len(values)-1], values[0])
}

// seconds reads a whole number of seconds.
func (u *URL) seconds(name, value string) (time.Duration, error) {
	n, err := u.number(name, value)
	return time.Duration(n) * time.Second, err
}

func (u *URL) number(name, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, u.bad(name, "a whole number from 0", "10")
	}
	return n, nil
}

// bad is the error of a parameter's value. The value is not shown: it may be
// the end of a password that was not encoded.
func (u *URL) bad(name, want, instead string) error {
	return u.Origin.wrong(fmt.Sprintf("has a wrong %s: it should be %s", name, want), u.line(name, instead, name))
}
