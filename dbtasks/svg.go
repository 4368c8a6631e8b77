package dbtasks

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen/chart"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// picture is where -svg writes to. It is written beside its place and renamed:
// no half-written picture is ever seen, and what was there stays until then.
type picture struct {
	path string // empty: none is asked for
	deps *runbook.Runbook
}

// svgFile checks before the run that the picture can be written after it.
func svgFile(d *runbook.Runbook, path string) (picture, error) {
	if path == "" {
		return picture{}, nil
	}
	p := picture{path: path, deps: d}
	f, err := p.create()
	if err != nil {
		return p, &runbook.Failure{Exit: runbook.ExitSettings, Code: "usage", Err: err,
			Message: fmt.Sprintf("-svg=%s can't be written: %v; nothing was run.", path, err),
			Next:    "give a file in a folder that exists and is yours: -svg=monitor.svg"}
	}
	_ = f.Close()
	return p, os.Remove(f.Name())
}

func (p picture) create() (*os.File, error) {
	// The rename would put a file in the place of a device: /dev/null, /dev/full.
	if info, err := os.Stat(p.path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is there, and is no file", p.path)
	}
	return os.CreateTemp(filepath.Dir(p.path), ".dbtasks-*.svg")
}

// save draws the history; a run that saw nothing leaves no picture.
func (p picture) save(h runbook.History) error { return p.draw(chart.OfHistory(h)) }

func (p picture) draw(c chart.Chart) error {
	if p.path == "" || len(c.Points) == 0 {
		return nil
	}
	f, err := p.create()
	if err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	err = c.SVG(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write the picture: %w", err)
	}
	say("wrote " + p.path)
	return nil
}
