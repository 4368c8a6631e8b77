// Package settings reads the settings of a project: the real environment first,
// then .env.local, then .env in the project's root. It remembers which file
// and line each value came from, and translates DATABASE_URL, in Prisma's
// dialect, to pgx. It connects to nothing.
package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The variables that are read.
const (
	DatabaseURL    = "DATABASE_URL"
	DirectURL      = "DIRECT_URL"
	AdminURL       = "DBTASKS_ADMIN_URL"
	DevCommand     = "DBTASKS_DEV_COMMAND"
	TestCommand    = "DBTASKS_TEST_COMMAND"
	PortsVar       = "DBTASKS_PORTS"
	WarnVar        = "DBTASKS_WARN"
	RestartCommand = "DBTASKS_RESTART_COMMAND"
	PGBinVar       = "DBTASKS_PG_BIN"
)

// Config is the project's settings. The URLs are checked only when asked for,
// so that what needs no database works with a broken one.
type Config struct {
	Root           string // the project's root folder, absolute
	DevCommand     string // a shell line; empty: derived from the lock file
	TestCommand    string // a shell line; empty: derived from the lock file
	Ports          Ports  // of dev servers; default 3000-3015
	Warn           int    // sessions at which monitor and guard warn; default 10, 0: never
	RestartCommand string // a shell line that restarts PostgreSQL; empty: found out
	PGBin          string // folder of postgres, initdb, pg_ctl; empty: found out

	// A func, which fmt can't look into where it can't call Format (in another
	// struct's unexported field). Nil in a Config that was not loaded.
	sources func() *sources
}

// Format shows the root alone, whatever the verb: the settings hold secrets.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "settings of %s", c.Root) }

// Ports is a range of TCP ports, both ends included.
type Ports struct{ First, Last int }

// Origin is where a value came from.
type Origin struct {
	Variable string
	File     string // empty: the real environment
	Line     int    // 0: the environment
}

// Load reads the settings of the project that dir lies in. environ has the
// form of os.Environ. An empty value counts as not set. The error is a
// *SettingError. DATABASE_URL and its like are not checked here.
func Load(dir string, environ []string) (*Config, error) {
	c := &Config{Root: ProjectRoot(dir)}
	s, err := readSources(c.Root, environ)
	if err != nil {
		return nil, err
	}
	c.sources = func() *sources { return s }
	if err := c.plainSettings(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) lookup(name string) (string, Origin) {
	if c.sources == nil {
		return "", Origin{}
	}
	return c.sources().lookup(name)
}

// Origin tells where a variable's value came from; its Variable is empty when
// it is not set.
func (c *Config) Origin(name string) Origin {
	_, origin := c.lookup(name)
	return origin
}

func (c *Config) plainSettings() error {
	c.DevCommand, _ = c.lookup(DevCommand)
	c.TestCommand, _ = c.lookup(TestCommand)
	c.RestartCommand, _ = c.lookup(RestartCommand)
	c.Ports, c.Warn = Ports{3000, 3015}, 10
	if value, origin := c.lookup(PortsVar); value != "" {
		ports, ok := parsePorts(value)
		if !ok {
			return origin.wrong(fmt.Sprintf("is %q, and should be a port or a range of ports", value), PortsVar+"=3000-3015")
		}
		c.Ports = ports
	}
	if value, origin := c.lookup(WarnVar); value != "" {
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 0 {
			return origin.wrong(fmt.Sprintf("is %q, and should be a number of sessions, 0 for never", value), WarnVar+"=10")
		}
		c.Warn = n
	}
	if value, origin := c.lookup(PGBinVar); value != "" {
		if !filepath.IsAbs(value) {
			value = filepath.Join(c.Root, value)
		}
		if info, err := os.Stat(value); err != nil || !info.IsDir() {
			return origin.wrong(fmt.Sprintf("is %q, which is no folder", value), PGBinVar+"=/usr/lib/postgresql/17/bin")
		}
		c.PGBin = value
	}
	return nil
}

// wrong is the error of a variable that came from here.
func (o Origin) wrong(problem, write string) *SettingError {
	return &SettingError{Variable: o.Variable, File: o.File, Line: o.Line, Problem: problem, Write: write}
}

// parsePorts reads "3000" and "3000-3015".
func parsePorts(text string) (Ports, bool) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.Atoi(strings.TrimSpace(first))
	b, errB := strconv.Atoi(strings.TrimSpace(last))
	ok := errA == nil && errB == nil && a >= 1 && b <= 65535 && a <= b
	return Ports{a, b}, ok
}

// Database is DATABASE_URL, its pool limit checked.
func (c *Config) Database() (*URL, error) {
	value, origin := c.lookup(DatabaseURL)
	if value == "" {
		env := filepath.Join(c.Root, ".env")
		return nil, &SettingError{Variable: DatabaseURL, File: env,
			Problem: fmt.Sprintf("is not set: looked in the environment, in %s and in %s", filepath.Join(c.Root, ".env.local"), env),
			Write:   exampleLine(DatabaseURL)}
	}
	u, err := parseURL(value, origin, c.Root)
	if err != nil {
		return nil, err
	}
	if err := u.requireLimit(); err != nil {
		return nil, err
	}
	return u, nil
}

// Direct is DIRECT_URL, the server itself where DATABASE_URL goes through a
// pooler; nil when it is not set. Without a limit of its own it has
// DATABASE_URL's.
func (c *Config) Direct() (*URL, error) {
	u, err := c.optional(DirectURL)
	if u != nil && u.Limit == 0 && err == nil {
		u.Limit = 1
		if database, dbErr := c.Database(); dbErr == nil {
			u.Limit = database.Limit
		}
	}
	return u, err
}

// Admin is DBTASKS_ADMIN_URL, a login that may use the reserved slots; nil
// when it is not set. It needs no limit: it is used for one session.
func (c *Config) Admin() (*URL, error) {
	u, err := c.optional(AdminURL)
	if u != nil && u.Limit == 0 {
		u.Limit = 1
	}
	return u, err
}

func (c *Config) optional(name string) (*URL, error) {
	value, origin := c.lookup(name)
	if value == "" {
		return nil, nil
	}
	return parseURL(value, origin, c.Root)
}

// Server is the URL of the server itself: DIRECT_URL where set, else DATABASE_URL.
func (c *Config) Server() (*URL, error) {
	if u, err := c.Direct(); u != nil || err != nil {
		return u, err
	}
	return c.Database()
}

// ProjectRoot is the nearest folder upwards with package.json, go.mod or .git;
// dir itself when there is none. It is absolute.
func ProjectRoot(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil { // fails only when the working directory is gone
		dir = abs
	}
	for d := dir; ; d = filepath.Dir(d) {
		for _, mark := range []string{"package.json", "go.mod", ".git"} {
			if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
				return d
			}
		}
		if filepath.Dir(d) == d {
			return dir
		}
	}
}
