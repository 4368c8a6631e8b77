// Package settings reads the settings of a project as the project's own tools
// read them: the real environment first, then the .env files of its framework
// in that framework's order, grammar and expansion. It remembers which file and
// line each value came from, and translates DATABASE_URL, in Prisma's dialect,
// to pgx. It connects to nothing.
package settings

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
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
	ReadOnlyVar    = "DBTASKS_READONLY"
	RestartCommand = "DBTASKS_RESTART_COMMAND"
	PGBinVar       = "DBTASKS_PG_BIN"
)

// Config is the project's settings. The URLs are checked only when asked for,
// so that what needs no database works with a broken one.
type Config struct {
	Root           string // folder of the package, or of what else the project is; absolute
	Top            string // root of the monorepo that declares it as a workspace; Root where there is none
	DevCommand     string // a shell line; empty: derived from the lock file
	TestCommand    string // a shell line; empty: derived from the lock file
	Ports          Ports  // of dev servers; default 3000-3015
	ReadOnly       bool   // DBTASKS_READONLY: nothing is ended, stopped, restarted or written
	Warn           int    // sessions at which monitor and guard warn; default 10, 0: never
	RestartCommand string // a shell line that restarts PostgreSQL; empty: found out

	// Funcs, which fmt can't look into where it can't call Format (in another
	// struct's unexported field). Nil in a Config that was not loaded.
	sources func() *sources
	place   func() place
	drivers func() []jsproject.Driver
	code    Defaults
}

// Format shows the root alone, whatever the verb: the settings hold secrets.
func (c Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "settings of %s", c.Root) }

// Load reads the settings of the project that dir lies in, as its dev server
// gets them. environ has the form of os.Environ. The error is a *SettingError
// for a setting that says what to do (a command, a port), or a
// *plainfile.TrustError for a file or folder that others can write: nothing of
// the project is used then. What concerns the database alone is checked by
// Database and its like: the rest works with a broken .env.
func Load(dir string, environ []string) (*Config, error) {
	return LoadWith(dir, environ, Defaults{})
}

// LoadForTests is Load with the files of test mode (.env.test, …).
func LoadForTests(dir string, environ []string) (*Config, error) {
	return LoadForTestsWith(dir, environ, Defaults{})
}

// LoadWith is Load where a magefile or a program has defaults of its own.
func LoadWith(dir string, environ []string, code Defaults) (*Config, error) {
	return loadMode(dir, environ, "development", code)
}

// LoadForTestsWith is LoadForTests where a magefile or a program has defaults
// of its own.
func LoadForTestsWith(dir string, environ []string, code Defaults) (*Config, error) {
	return loadMode(dir, environ, "test", code)
}

// FromEnvironment has the variables of environ alone, and reads no file: for a
// server of the tool's own. Its Root is empty.
func FromEnvironment(environ []string) (*Config, error) {
	s := &sources{env: environment(environ), framework: jsproject.PlainNode}
	c := &Config{sources: func() *sources { return s }, place: func() place { return place{} }}
	return c, c.plainSettings()
}

func loadMode(dir string, environ []string, mode string, code Defaults) (*Config, error) {
	p, err := placeOf(dir)
	if err != nil {
		return nil, err
	}
	c := &Config{Root: p.dir, Top: p.top, code: code}
	s, err := readSources(p, environ, mode)
	if err != nil {
		return nil, err
	}
	c.sources, c.place = func() *sources { return s }, func() place { return p }
	c.drivers = sync.OnceValue(p.findDrivers)
	return c, c.plainSettings()
}

func (c *Config) lookup(name string) (string, Origin) {
	if c.sources == nil {
		return "", Origin{}
	}
	if name == DatabaseURL {
		name = c.URLVariable()
	}
	value, origin := c.sources().lookup(name)
	if origin.Variable == "" {
		if value = c.code.value(name); value != "" {
			origin = Origin{Variable: name, Code: true}
		}
	}
	return value, origin
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
	c.Ports, c.Warn = Ports{{3000, 3015}}, 10
	if value, origin := c.lookup(PortsVar); value != "" {
		ports, ok := parsePorts(value)
		if !ok {
			return origin.wrong(fmt.Sprintf("is %q, and should be ports and ranges of ports, separated by commas", value), PortsVar+"=3000-3015")
		}
		c.Ports = ports
	}
	switch value, origin := c.lookup(ReadOnlyVar); strings.ToLower(strings.TrimSpace(value)) {
	case "", "0", "false", "off", "no":
	case "1", "true", "on", "yes":
		c.ReadOnly = true
	default:
		c.ReadOnly = true
		return origin.wrong(fmt.Sprintf("is %q, and should be 1, or 0", value), ReadOnlyVar+"=1")
	}
	if value, _ := c.lookup(WarnVar); value != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n >= 0 {
			c.Warn = n
		}
	}
	return nil
}

// checkNumbers refuses what Load let pass, so that what needs no database works.
func (c *Config) checkNumbers() error {
	if value, origin := c.lookup(WarnVar); value != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err != nil || n < 0 {
			return origin.wrong(fmt.Sprintf("is %q, and should be a number of sessions, 0 for never", value), WarnVar+"=10")
		}
	}
	return nil
}

// Binaries is DBTASKS_PG_BIN, the folder of postgres, initdb and pg_ctl for the
// disposable server, relative to the project's root; empty where it is not set:
// they are looked for then. The error is a *SettingError.
func (c *Config) Binaries() (string, error) {
	value, origin := c.lookup(PGBinVar)
	if value == "" {
		return "", nil
	}
	dir := value
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(c.Root, dir)
	}
	const write = PGBinVar + "=/usr/lib/postgresql/17/bin"
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", origin.wrong(fmt.Sprintf("is %q, which is no folder", value), write)
	}
	for _, program := range []string{"postgres", "initdb", "pg_ctl"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			return "", origin.wrong(fmt.Sprintf("is %q, where there is no program %s", value, program), write)
		}
	}
	return dir, nil
}

// Database is DATABASE_URL, its pool limit checked, in a form that the
// project's driver takes. The error is a *SettingError.
func (c *Config) Database() (*URL, error) {
	u, err := c.database()
	if err == nil {
		err = c.checkLimit(u)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// database is DATABASE_URL, whatever it says about a pool limit.
func (c *Config) database() (*URL, error) {
	if err := c.checkNumbers(); err != nil {
		return nil, err
	}
	value, origin := c.lookup(DatabaseURL)
	if c.sources != nil {
		if problem := c.sources().problem(origin); problem != nil {
			return nil, problem
		}
	}
	if value == "" {
		return nil, c.notSet()
	}
	return c.parse(value, origin)
}

// parse reads a URL, and gives it the form in which this project writes limits.
func (c *Config) parse(value string, origin Origin) (*URL, error) {
	form := c.Form()
	if !slices.ContainsFunc(c.Drivers(), jsproject.Driver.Connects) { // then the form that is there already
		for _, written := range []jsproject.Form{jsproject.PoolMaxConns, jsproject.ConnectionLimit} {
			if strings.Contains(value, string(written)+"=") {
				form = written
			}
		}
	}
	return parseURL(value, origin, c.Root, form)
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
	return c.parse(value, origin)
}

// Server is the URL of the server itself: DIRECT_URL where set, else DATABASE_URL.
func (c *Config) Server() (*URL, error) {
	if u, err := c.Direct(); u != nil || err != nil {
		return u, err
	}
	return c.Database()
}

// ServerForOne is Server for a caller that opens one session and no more, and
// so needs no pool limit: where DATABASE_URL carries none, the URL's is 1, and
// missing is the error that Server has.
func (c *Config) ServerForOne() (u *URL, missing, err error) {
	if u, err = c.database(); err != nil {
		return nil, nil, err
	}
	if err = c.checkForms(u); err != nil {
		return nil, nil, err
	}
	if missing = c.missingLimit(u); missing != nil {
		u.Limit = 1
	}
	if direct, err := c.Direct(); direct != nil || err != nil {
		return direct, missing, err
	}
	return u, missing, nil
}
