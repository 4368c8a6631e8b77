package checklist

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jscode"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// secrets: .env is not tracked by git, and names no production host.
func (c *check) secrets(ctx context.Context, i *Item) {
	i.Summary = ".env is not tracked by git and names no production host"
	if c.git {
		out, err := jscode.GitOutput(ctx, c.root, "ls-files", "-z", "--", ".env", ".env.local", ".env.*.local")
		if err != nil {
			i.unsure(".env", 0, "git could not be asked whether .env is tracked", "A tracked .env gives its passwords to everybody who has the repository.")
		}
		for file := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
			if file != "" {
				i.wrong(file, 0, file+" is tracked by git", "Its passwords are in the repository's history, for everybody who has it.",
					fmt.Sprintf("git rm --cached %s && echo %s >> .gitignore", file, file))
			}
		}
	} else {
		i.Summary = "no git repository here, so .env is not tracked; it names no production host"
	}
	found := false
	for _, file := range []string{".env", ".env.local"} {
		list, err := settings.Assignments(c.root, file)
		if err != nil {
			i.unsure(file, 0, file+" can't be read", "A production host could be in it.")
		}
		for _, a := range list {
			found = true
			if host := productionHost(a.Name, a.Value); host != "" {
				i.wrong(file, a.Line, fmt.Sprintf("%s names the host %s, which looks like production", a.Name, host),
					"A cleanup, a migration or a test of this machine would work on it.", a.Name+"=\"postgresql://…@localhost:5432/…?connection_limit=5\"")
			}
		}
	}
	if !found && c.packages.at("") == nil {
		i.Summary = "no .env here"
	}
}

// databaseSchemes are the URLs that name a database or a queue.
var databaseSchemes = []string{"postgres", "postgresql", "prisma", "prisma+postgres", "mysql", "mariadb", "mongodb", "mongodb+srv", "redis", "rediss", "sqlserver"}

// productionHost is the host that a variable names, where it is neither this
// machine, nor a private address, nor a container; empty else.
func productionHost(name, value string) string {
	var hosts []string
	if scheme, rest, ok := strings.Cut(value, "://"); ok && slices.Contains(databaseSchemes, strings.ToLower(scheme)) {
		// What is behind the last @ is never part of a password, encoded or not.
		authority := rest[strings.LastIndexByte(rest, '@')+1:]
		if end := strings.IndexAny(authority, "/?#"); end >= 0 {
			authority = authority[:end]
		}
		hosts = strings.Split(authority, ",")
		if u, err := url.Parse(value); err == nil && u.Query().Get("host") != "" {
			hosts = strings.Split(u.Query().Get("host"), ",")
		}
	} else if name == "PGHOST" || name == "DB_HOST" || name == "DATABASE_HOST" || name == "POSTGRES_HOST" {
		hosts = []string{value}
	}
	for _, host := range hosts {
		if host = withoutPort(host); looksProduction(host) {
			return host
		}
	}
	return ""
}

func withoutPort(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(inner, "]")
		return host
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

// looksProduction: an address that is public, a name with a dot that is not of
// this machine or network, or any name with "prod" in it.
func looksProduction(host string) bool {
	host = strings.ToLower(strings.TrimSpace(host))
	if host == "" || strings.HasPrefix(host, "/") || strings.Contains(host, "%2f") || strings.ContainsAny(host, "${}") {
		return false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return !addr.IsLoopback() && !addr.IsPrivate() && !addr.IsLinkLocalUnicast() && !addr.IsUnspecified()
	}
	for _, label := range strings.FieldsFunc(host, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		if label == "prod" || label == "production" || label == "live" {
			return true
		}
	}
	if !strings.Contains(host, ".") {
		return false // localhost, or a container's name
	}
	for _, local := range []string{".localhost", ".local", ".internal", ".test", ".lan", ".home.arpa", ".example", ".invalid", ".localdomain", ".orb.local"} {
		if strings.HasSuffix(host, local) {
			return strings.HasSuffix(host, ".compute.internal") || strings.HasSuffix(host, ".ec2.internal")
		}
	}
	return true
}
