package runbook

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Runbook is the engine for one project: its settings, its server and this
// machine. Its methods are the procedures. They may be called from several
// goroutines; Close ends the session that they share.
type Runbook struct {
	cfg      *settings.Config
	pool     *pgops.LazyPool // nil until connect
	out      io.Writer       // of progress; nil: none
	terminal bool            // out is a terminal
	name     string          // how this program is called; empty: mage
	alias    string          // of the targets in the importing magefile; empty: none
	unset    error           // why the settings could not be loaded, where it was opened all the same

	connecting sync.Mutex // guards pool against two procedures that connect at once

	pinning sync.Mutex // guards pins
	pins    map[string]*pgops.Pin
}

// Defaults are settings in code, below the environment and the project's
// files, and above the engine's own defaults.
type Defaults = settings.Defaults

// OpenOptions say how a project is opened. The zero value is what Open takes.
type OpenOptions struct {
	Environ  []string // in the form of os.Environ; nil: the process's own
	Defaults Defaults
	Tests    bool // the files of test mode are read (.env.test, …), as for dev:test

	// Progress takes lines for people while a procedure runs; nil: none.
	// Terminal says that it is one: waits are shown there as they pass.
	Progress io.Writer
	Terminal bool
	// Program is how the next commands that are named begin: "mage",
	// "bin/dbtasks"; empty: "mage".
	Program string
	// Alias is the name that a magefile imports the targets under
	// (//mage:import pg): the next commands that are named carry it.
	Alias string

	// Anyway opens a project whose settings can't be loaded, for a procedure
	// that needs none; SettingsErr then says why they can't. Files that others
	// can write are an error all the same.
	Anyway bool
	// NoProject reads no file: the environment's variables alone count.
	NoProject bool
}

// Open is the engine for the project that dir lies in: its settings are read
// as its dev server reads them. It connects to nothing yet. The caller calls
// Close. The error is a *Failure that names the setting, its file and the line
// to write instead.
func Open(dir string) (*Runbook, error) { return OpenWith(dir, OpenOptions{}) }

// OpenWith is Open with options.
func OpenWith(dir string, o OpenOptions) (*Runbook, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	load := settings.LoadWith
	switch {
	case o.NoProject:
		load = func(_ string, environ []string, _ settings.Defaults) (*settings.Config, error) {
			return settings.FromEnvironment(environ)
		}
	case o.Tests:
		load = settings.LoadForTestsWith
	}
	cfg, err := load(dir, o.Environ, o.Defaults)
	var others *plainfile.TrustError // nothing of the project is used then
	if err != nil && (!o.Anyway || errors.As(err, &others)) {
		return nil, AsFailure(err)
	}
	if err != nil && !o.NoProject {
		cfg = &settings.Config{Root: settings.ProjectRoot(dir)}
	}
	return &Runbook{cfg: cfg, out: o.Progress, terminal: o.Terminal, name: o.Program, alias: o.Alias, unset: err}, nil
}

// SettingsErr is why the project's settings can't be loaded, where it was
// opened all the same; nil: they are loaded.
func (rb *Runbook) SettingsErr() error { return rb.unset }

// Root is the project's folder, absolute; empty without a project.
func (rb *Runbook) Root() string { return rb.cfg.Root }

// Warn is the number of sessions at which the monitor and the guard warn
// (DBTASKS_WARN, default 10); 0: never.
func (rb *Runbook) Warn() int { return rb.cfg.Warn }

// Notes are what is wrong with the settings and does no harm, a sentence each:
// names that are nearly those of this tool's.
func (rb *Runbook) Notes() []string { return rb.cfg.Misspelt() }

// Pool is the connection pool that the procedures share: made at the first
// call, the same in every goroutine, to the server itself (DIRECT_URL where
// set, else DATABASE_URL). It opens no session before one is asked for and
// never more than the URL's pool limit; its sessions have
// application_name=dbtasks. An Acquire waits at most the URL's pool_timeout
// (default 10 s, 0: for ever). It belongs to rb: do not close it.
func (rb *Runbook) Pool(ctx context.Context) (*pgxpool.Pool, error) {
	if err := rb.connectLimited(); err != nil {
		return nil, err
	}
	return rb.pool.Pool(ctx)
}

// Close ends the sessions of the shared pool; the next procedure makes it anew.
func (rb *Runbook) Close() {
	rb.connecting.Lock()
	pool := rb.pool
	rb.connecting.Unlock()
	if pool != nil {
		pool.Close()
	}
}

// What this package does with processes (a dev server's supervisor, the
// watchdog of a disposable server) is done by this same program, started again
// in a role. Whoever imports the package has the roles: the process that was
// started for one plays it here, before anything else of the program runs.
// The packages below have registered theirs by now.
func init() {
	reexec.Register(leakRole, leakMain)
	reexec.Register(verifyKeeper, keepModule)
	reexec.RunRegistered()
}
