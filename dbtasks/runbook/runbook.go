// Package runbook is the engine: what dbtasks' targets do, for a program or a
// magefile of one's own. Open gives a Runbook for the project in a folder; each
// procedure is one method of it, (ctx, Options) (Report, error), that makes a
// plan, applies it unless told otherwise, and returns data. Nothing is printed
// but progress, where asked for.
//
//	rb, err := runbook.Open(".")
//	if err != nil {
//		return err
//	}
//	defer rb.Close()
//	report, err := rb.Cleanup(ctx, runbook.CleanupOptions{})
//
// An error is a *Failure wherever the reason is one that users meet: its
// ExitStatus makes Mage exit right from a target of one's own.
package runbook

import (
	"fmt"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// told is a caller's function that hears of events, or one that does nothing.
func told[T any](f func(T)) func(T) {
	if f == nil {
		return func(T) {}
	}
	return f
}

// progress writes one line for people.
func (rb *Runbook) progress(format string, args ...any) {
	if rb.out != nil {
		fmt.Fprintln(rb.out, plain.Sprintf(format, args...))
	}
}

// Command is a target as the user would type it, with the name that the
// importing magefile gave these targets in front.
func (rb *Runbook) Command(target string) string {
	program := rb.name
	if program == "" {
		program = "mage"
	}
	if rb.alias != "" {
		target = rb.alias + ":" + target
	}
	return program + " " + target
}

// connectLimited checks the database settings and makes the pool, which connects to
// nothing yet.
func (rb *Runbook) connectLimited() error {
	// DATABASE_URL is required and checked also where DIRECT_URL is used, and
	// where the pool was made for a procedure that needs no limit.
	if _, err := rb.cfg.Database(); err != nil {
		return err
	}
	return rb.connect(rb.cfg.Server)
}

// connectForOne is connectLimited for a procedure that opens one session and needs no
// pool limit: that it is missing is said, and no error.
func (rb *Runbook) connectForOne() error {
	return rb.connect(func() (*settings.URL, error) {
		url, missing, err := rb.cfg.ServerForOne()
		if missing != nil {
			rb.progress("note: this goes on although %s", missing)
		}
		return url, err
	})
}

func (rb *Runbook) connect(server func() (*settings.URL, error)) error {
	rb.connecting.Lock()
	defer rb.connecting.Unlock()
	if rb.pool != nil {
		return nil
	}
	if _, err := rb.cfg.Admin(); err != nil {
		return err
	}
	url, err := server()
	if err != nil {
		return err
	}
	for _, note := range rb.cfg.Notes() {
		rb.progress("note: %s", note)
	}
	rb.pool = pgops.NewLazyPool(url)
	return nil
}

// pin is the one address of a URL for this run, by the variable that it came
// from: the pool's own where the pool has that URL.
func (rb *Runbook) pin(url *settings.URL) *pgops.Pin {
	if rb.pool != nil && rb.pool.URL().Origin.Variable == url.Origin.Variable {
		return rb.pool.Pin()
	}
	rb.pinning.Lock()
	defer rb.pinning.Unlock()
	if rb.pins == nil {
		rb.pins = map[string]*pgops.Pin{}
	}
	if rb.pins[url.Origin.Variable] == nil {
		rb.pins[url.Origin.Variable] = pgops.NewPin(url)
	}
	return rb.pins[url.Origin.Variable]
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
