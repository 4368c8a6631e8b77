package settings

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// urlParts are the parts of a URL, still percent-encoded.
type urlParts struct {
	scheme, user, password, hosts, path, query string
	hasPassword, hasPath                       bool
}

// otherSchemes are what people have in DATABASE_URL beside PostgreSQL's own.
var otherSchemes = map[string]string{
	"prisma":             "is a URL of Prisma Accelerate, and this tool needs the server's own (put it into DIRECT_URL for Prisma's own use too)",
	"prisma+postgres":    "is a URL of Prisma Accelerate or prisma dev, and this tool needs the server's own, as prisma dev prints it",
	"jdbc:postgresql":    "is a JDBC URL: leave out jdbc: and put user and password before the host",
	"postgresql+asyncpg": "is a URL of SQLAlchemy: leave out the driver's name",
	"mysql":              "is a URL of MySQL, not of PostgreSQL",
	"mariadb":            "is a URL of MariaDB, not of PostgreSQL",
	"sqlserver":          "is a URL of SQL Server, not of PostgreSQL",
	"mongodb":            "is a URL of MongoDB, not of PostgreSQL",
	"mongodb+srv":        "is a URL of MongoDB, not of PostgreSQL",
	"sqlite":             "is a file of SQLite, not a PostgreSQL server",
	"file":               "is a file of SQLite, not a PostgreSQL server",
}

const (
	wrongScheme = "is no PostgreSQL URL: it should begin with postgresql:// or postgres://"
	unsplit     = "can't be taken apart: percent-encode special characters of the password (/ is %2F, ? is %3F, # is %23, @ is %40, % is %25)"
	// badEncoding says in which part a percent sign stands alone.
	badEncoding = "has a %% in its %s that is not followed by two hexadecimal digits (00 excepted): write %%25 for a percent sign"
)

// split takes a URL apart. The user's part ends at the last "@" before the
// path, as WHATWG has it, so an unencoded "@" in a password is no trouble; "/",
// "?" and "#" are, and what looks like one of them in a password is refused
// rather than taken for another host. The second result is what is wrong.
func split(raw string) (urlParts, string) {
	var p urlParts
	scheme, rest, ok := strings.Cut(raw, "://")
	p.scheme = scheme
	if strings.HasPrefix(raw, "file:") {
		return p, otherSchemes["file"]
	}
	if problem, known := otherSchemes[scheme]; ok && known {
		return p, problem
	}
	if !ok || scheme != "postgres" && scheme != "postgresql" {
		return p, wrongScheme
	}
	rest, p.query, _ = strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	p.path, p.hasPath = path, hasPath
	if strings.Contains(authority+path, "#") || strings.Contains(path, "@") || brokenByPassword(authority, p.query) {
		return p, unsplit
	}
	p.hosts = authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		p.user, p.password, p.hasPassword = strings.Cut(authority[:at], ":")
		p.hosts = authority[at+1:]
	}
	return p, ""
}

// brokenByPassword tells whether the query looks like the rest of a password
// with an unencoded "?" in it, followed by the real host.
func brokenByPassword(authority, query string) bool {
	if !strings.Contains(query, "@") {
		return false
	}
	if authority != "" && !strings.Contains(authority, "@") {
		return true
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); strings.ContainsAny(name, "@/?#:") {
			return true
		}
		if _, after, ok := strings.Cut(pair, "@"); ok && strings.ContainsAny(after, "/?") {
			return true
		}
	}
	return false
}

// decode undoes percent-encoding alone: a "+" stays one, as in libpq.
func decode(text string) (string, bool) {
	if strings.IndexByte(text, 0) >= 0 {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil || n == 0 {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

// encode percent-encodes all but the characters that need it nowhere.
func encode(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// splitHosts reads "host:port,[::1]:port,%2Fsocket%2Fdir". The third result is
// what is wrong.
func splitHosts(text string) (hosts, ports []string, problem string) {
	if strings.ContainsFunc(text, unicode.IsSpace) {
		return nil, nil, "has a blank in its host (an unencoded password? a blank is %20)"
	}
	for part := range strings.SplitSeq(text, ",") {
		host, port := part, ""
		if strings.HasPrefix(part, "[") {
			end := strings.Index(part, "]")
			if end < 0 {
				return nil, nil, "has an IPv6 address whose bracket is not closed"
			}
			host, port = part[1:end], part[end+1:]
			if port != "" && !strings.HasPrefix(port, ":") {
				return nil, nil, "has something other than a port after an IPv6 address"
			}
			port = strings.TrimPrefix(port, ":")
		} else if i := strings.LastIndex(part, ":"); i >= 0 {
			if strings.Count(part, ":") > 1 {
				return nil, nil, "has an IPv6 address without brackets, or a : too many in its host (an unencoded password?)"
			}
			host, port = part[:i], part[i+1:]
		}
		host, ok := decode(host)
		if !ok {
			return nil, nil, fmt.Sprintf(badEncoding, "host")
		}
		// To the driver a comma would begin another host.
		if strings.Contains(host, ",") {
			return nil, nil, "has an encoded comma in its host: separate several hosts by commas as they are"
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	return hosts, ports, ""
}
