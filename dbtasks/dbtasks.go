// Package dbtasks is the emergency runbook for PostgreSQL connections in
// development, as targets of the task runner Mage. A magefile gets them by
// one import:
//
//	//mage:import
//	_ "github.com/pgrunbook/pgrunbook/dbtasks"
//
// The targets are the methods of Db and Dev; mage -l lists them and
// mage -h db:cleanup explains one. Everything they do is a call of package
// runbook, which a project's own magefile may call too.
package dbtasks

import (
	"context"
	"os"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/magefile/mage/mg"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/cli"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// Db are the targets that work on the database: db:test, db:cleanup, db:monitor, db:who.
type Db mg.Namespace

// Dev are the targets that work on the project's dev server: dev:start,
// dev:stop, dev:test, dev:recover, dev:check, dev:init, dev:verify,
// dev:drill.
type Dev mg.Namespace

// A binary with these targets plays the hidden roles of its own helpers (the
// dev server's supervisor, the watchdog of a disposable server) when it starts
// itself for them. Where it is Mage's, its command line is gone over first.
func init() {
	reexec.Run()
	if self, err := os.Executable(); err == nil && fromMage(self) {
		readCommandLine(self)
	}
}

// Settings of an importing magefile, to be set in its init: each holds where
// neither the environment nor a file of the project sets the variable.
var (
	URLVariable string // the variable that holds the database's URL; empty: DATABASE_URL
	DevCommand  string // as DBTASKS_DEV_COMMAND; empty: found out
	TestCommand string // as DBTASKS_TEST_COMMAND; empty: found out
	Ports       string // as DBTASKS_PORTS, "3000-3015,5173"; empty: 3000-3015
	Warn        int    // as DBTASKS_WARN, in sessions; 0: the default, 10
)

var (
	sharedMu sync.Mutex
	shared   *runbook.Runbook // made by the first target, or Pool, of the process
)

// open is the engine that the targets of this process share, for the working
// directory's project.
func open() (*runbook.Runbook, error) {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if shared != nil {
		return shared, nil
	}
	dir, err := workingFolder()
	if err != nil {
		return nil, err
	}
	rb, err := runbook.OpenWith(dir, openOptions())
	if err != nil {
		return nil, err
	}
	shared = rb
	return rb, nil
}

func openOptions() runbook.OpenOptions {
	return runbook.OpenOptions{Progress: os.Stderr, Terminal: screen.IsTerminal(os.Stderr), Program: program(), Alias: cli.Alias(os.Args[1:]),
		Defaults: runbook.Defaults{URLVariable: URLVariable, DevCommand: DevCommand, TestCommand: TestCommand, Ports: Ports, Warn: Warn}}
}

func workingFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", &runbook.Failure{Exit: runbook.ExitSettings, Code: "usage", Err: err,
			Message: "The folder that this was called in is not there any more; nothing was touched.", Next: "cd to your project and call it again"}
	}
	return dir, nil
}

// Pool is the connection pool that the targets share, for a project's own
// targets: made at the first call, the same one in every goroutine and target
// of the process, to the server itself (DIRECT_URL where set, else
// DATABASE_URL). It opens no session before one is asked for and never more
// than the URL's pool limit; its sessions have application_name=dbtasks. An
// Acquire waits at most the URL's pool_timeout (default 10 s, 0: for ever).
//
// The pool belongs to this package: do not close it. It is closed after the
// run's last target of this package, or when the process ends. Cancelling ctx
// does not close it. A missing or wrong setting is an error that says the line
// to write into .env.
func Pool(ctx context.Context) (*pgxpool.Pool, error) {
	rb, err := open()
	if err != nil {
		return nil, err
	}
	return rb.Pool(ctx)
}
