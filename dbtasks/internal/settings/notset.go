package settings

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// otherNames are the variables in which hosts and templates give the URL,
// where DATABASE_URL is not set, the best first.
var otherNames = []string{"POSTGRES_PRISMA_URL", "POSTGRES_URL", "POSTGRESQL_URL", "POSTGRES_DATABASE_URL", "DB_URL", "DATABASE_CONNECTION_STRING",
	"PG_URL", "PGURL", "POSTGRES_CONNECTION_STRING", "NETLIFY_DATABASE_URL", "NEON_DATABASE_URL", "SUPABASE_DB_URL", "POSTGRES_URL_NON_POOLING"}

// notSet is the error of a DATABASE_URL that the app would not get: with what
// hides it, or where it stands instead, and how it gets where it is read.
func (c *Config) notSet() *SettingError {
	variable := c.URLVariable()
	e := &SettingError{Variable: variable, File: filepath.Join(c.Root, ".env"), Write: exampleLine(variable, c.Form())}
	if c.sources == nil {
		e.Problem = "is not set"
		return e
	}
	s := c.sources()
	if _, set := s.env[variable]; set {
		if list := s.setElsewhere(variable, Origin{}); len(list) > 0 {
			return &SettingError{Variable: variable, Problem: fmt.Sprintf("is set and empty, which hides %s from the app", list[0]), Next: "unset " + variable}
		}
	}
	if hides, hidden := s.emptyAbove(variable); hides.Variable != "" {
		e.File, e.Line = hides.File, hides.Line
		e.Problem = fmt.Sprintf("is set and empty, which hides %s from the app", hidden)
		e.Write, e.Next = "", fmt.Sprintf("delete line %d of %s", hides.Line, short(hides.File))
		return e
	}
	for _, try := range []func(*SettingError) bool{c.swallowed, c.otherName, c.fromParts, c.elsewhere} {
		if try(e) {
			return e
		}
	}
	var looked []string
	for _, f := range s.files() {
		looked = append(looked, f.path)
	}
	e.Problem = fmt.Sprintf("is not set: looked in the environment and, as %s does, in %s", s.framework.Name, strings.Join(looked, ", "))
	return e
}

// swallowed: a quote above is not closed, and has the line within its value.
func (c *Config) swallowed(e *SettingError) bool {
	for _, f := range c.sources().files() {
		if a, line, ok := f.swallowed(c.URLVariable()); ok {
			e.File, e.Line = f.path, a.line
			e.Problem = fmt.Sprintf("is not set: the quote of %s in line %d is closed only behind line %d, where %s stands", a.name, a.line, line, c.URLVariable())
			e.Write, e.Next = "", fmt.Sprintf("close the quote at the end of line %d of %s", a.line, short(f.path))
			return true
		}
	}
	return false
}

// otherName: the URL is there under another name.
func (c *Config) otherName(e *SettingError) bool {
	for _, name := range otherNames {
		value, origin := c.lookup(name)
		if value == "" || name == c.URLVariable() {
			continue
		}
		u, err := c.parse(value, origin)
		if err != nil {
			continue
		}
		if origin.File != "" {
			e.File = origin.File
		}
		tail := ""
		if u.Limit == 0 {
			tail = u.separator() + limitText(u.form, suggestedLimit)
		}
		e.Problem = fmt.Sprintf("is not set, and %s is", origin)
		e.Write = fmt.Sprintf(`%s="${%s}%s"`, c.URLVariable(), name, tail)
		return true
	}
	return false
}

// fromParts: libpq's variables are there.
func (c *Config) fromParts(e *SettingError) bool {
	host, origin := c.lookup("PGHOST")
	if host == "" {
		host, origin = c.lookup("PGDATABASE")
	}
	if origin.Variable == "" {
		return false
	}
	part := func(name, before, otherwise string) string {
		value, _ := c.lookup(name)
		switch {
		case value == "":
			return otherwise
		case encode(value) == value:
			return before + "${" + name + "}"
		}
		return before + encode(value)
	}
	password, _ := c.lookup("PGPASSWORD")
	secret := part("PGPASSWORD", ":", "")
	if password != "" && encode(password) != password {
		secret = ":***"
	}
	e.Problem = fmt.Sprintf("is not set, and %s is: the URL can be put together from PGHOST and its like", origin)
	if secret == ":***" {
		e.Problem += " (write the password percent-encoded in place of ***)"
	}
	if origin.File != "" {
		e.File = origin.File
	}
	at := part("PGHOST", "", "localhost")
	query := ""
	if strings.HasPrefix(host, "/") && origin.Variable == "PGHOST" {
		at, query = "", "host="+encode(host)+"&"
		if port, _ := c.lookup("PGPORT"); port != "" {
			query += "port=" + encode(port) + "&"
		}
	} else {
		at += part("PGPORT", ":", "")
	}
	e.Write = fmt.Sprintf(`%s="postgresql://%s%s@%s/%s?%s%s"`, c.URLVariable(), part("PGUSER", "", "postgres"), secret, at, part("PGDATABASE", "", ""), query, limitText(c.Form(), suggestedLimit))
	return true
}

// elsewhere: another file of the project has it, which the app called for does
// not read.
func (c *Config) elsewhere(e *SettingError) bool {
	p := c.place()
	dirs := []string{p.dir, p.top}
	if p.tree != nil {
		for _, member := range p.tree.Members() {
			dirs = append(dirs, member.Dir)
		}
	}
	var read []string
	for _, f := range c.sources().files() {
		read = append(read, f.path)
	}
	for _, dir := range dirs {
		for _, name := range []string{".env", ".env.local", ".env.development", ".env.development.local", ".env.dev", "prisma/.env", "server/.env", "config/.env", ".env.production", ".env.staging", "supabase/.env"} {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if slices.Contains(read, path) {
				continue
			}
			f, err := readEnv(path, dotenvGrammar)
			if err != nil {
				continue
			}
			for _, a := range slices.Backward(f.list) {
				if a.name != c.URLVariable() || a.value == "" {
					continue
				}
				at := Origin{Variable: c.URLVariable(), File: path, Line: a.line}
				to := c.sources().files()[0].path
				for _, f := range c.sources().files() {
					if filepath.Dir(f.path) == c.Root && !f.there {
						to = f.path
					}
				}
				e.File, e.Line = path, a.line
				e.Problem = fmt.Sprintf("is not set for %s in %s: it stands in %s, which is not read there", c.framework(), short(c.Root), short(at.File))
				e.Write, e.Next = "", fmt.Sprintf("ln -s %s %s", shellWord(linkTarget(to, path)), shellWord(short(to)))
				return true
			}
		}
	}
	return false
}

func (c *Config) framework() string {
	if name := c.sources().framework.Name; name != jsproject.PlainName {
		return name
	}
	return "the app"
}

// linkTarget is the path of a file as a link at another place needs it.
func linkTarget(link, file string) string { return relativeTo(filepath.Dir(link), file) }

func shellWord(text string) string {
	word, err := syntax.Quote(text, syntax.LangPOSIX)
	if err != nil {
		return "'" + text + "'"
	}
	return word
}
