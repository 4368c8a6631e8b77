// Package runbook is the procedures: test, cleanup, monitor, start, stop,
// recover, init and the drill. Each is one call (ctx, deps, Options) (Report, error)
// that makes a plan, applies it unless told otherwise, and returns data; it
// prints nothing but progress. An error is a *Failure wherever the reason is
// one that users meet.
package runbook

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Deps is what the procedures work with.
type Deps struct {
	Config *settings.Config
	Pool   *pgops.LazyPool // nil until Connect
	// Progress takes lines for people while a procedure runs, on standard
	// error; nil: none.
	Progress io.Writer
	// Terminal says that Progress is one: waits are shown there as they pass.
	Terminal bool
	// Program is how this tool was called, for next commands: "mage",
	// "go tool mage", "bin/dbtasks".
	Program string

	connecting sync.Mutex // guards Pool against two targets that Connect at once

	pinning sync.Mutex // guards pins
	pins    map[string]*pgops.Pin
}

// progress writes one line for people.
func (d *Deps) progress(format string, args ...any) {
	if d.Progress != nil {
		fmt.Fprintln(d.Progress, plain.Sprintf(format, args...))
	}
}

// Command is a target as the user would type it.
func (d *Deps) Command(target string) string {
	program := d.Program
	if program == "" {
		program = "mage"
	}
	return program + " " + target
}

// Connect checks the database settings and makes the pool, which connects to
// nothing yet.
func (d *Deps) Connect() error {
	// DATABASE_URL is required and checked also where DIRECT_URL is used, and
	// where the pool was made for a procedure that needs no limit.
	if _, err := d.Config.Database(); err != nil {
		return err
	}
	return d.connect(d.Config.Server)
}

// connectForOne is Connect for a procedure that opens one session and needs no
// pool limit: that it is missing is said, and no error.
func (d *Deps) connectForOne() error {
	return d.connect(func() (*settings.URL, error) {
		url, missing, err := d.Config.ServerForOne()
		if missing != nil {
			d.progress("note: this goes on although %s", missing)
		}
		return url, err
	})
}

func (d *Deps) connect(server func() (*settings.URL, error)) error {
	d.connecting.Lock()
	defer d.connecting.Unlock()
	if d.Pool != nil {
		return nil
	}
	if _, err := d.Config.Admin(); err != nil {
		return err
	}
	url, err := server()
	if err != nil {
		return err
	}
	for _, note := range d.Config.Notes() {
		d.progress("note: %s", note)
	}
	d.Pool = pgops.NewLazyPool(url)
	return nil
}

// pin is the one address of a URL for this run, by the variable that it came
// from: the pool's own where the pool has that URL.
func (d *Deps) pin(url *settings.URL) *pgops.Pin {
	if d.Pool != nil && d.Pool.URL().Origin.Variable == url.Origin.Variable {
		return d.Pool.Pin()
	}
	d.pinning.Lock()
	defer d.pinning.Unlock()
	if d.pins == nil {
		d.pins = map[string]*pgops.Pin{}
	}
	if d.pins[url.Origin.Variable] == nil {
		d.pins[url.Origin.Variable] = pgops.NewPin(url)
	}
	return d.pins[url.Origin.Variable]
}

// where is host and port of a URL for people: "localhost:5432", or the socket.
func where(url *settings.URL) string {
	var parts []string
	for _, h := range url.Hosts {
		if strings.HasPrefix(h.Name, "/") {
			parts = append(parts, fmt.Sprintf("%s/.s.PGSQL.%d", strings.TrimSuffix(h.Name, "/"), h.Port))
		} else if strings.Contains(h.Name, ":") {
			parts = append(parts, fmt.Sprintf("[%s]:%d", h.Name, h.Port))
		} else {
			parts = append(parts, fmt.Sprintf("%s:%d", h.Name, h.Port))
		}
	}
	return strings.Join(parts, ",")
}
