package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// Options are what the project itself does not tell.
type Options struct {
	// Source finds the folder of the dbtasks module, for the replace in
	// magefiles/go.mod; it is asked when that has to be written. Its error is a
	// *ProjectError.
	Source  func() (string, error)
	Program string // a compiled runbook to copy to bin/dbtasks; empty: none
	// Package tells that the program is that of the project's own npm package,
	// which its scripts call by name: no magefile, no wrapper, and nothing that
	// knows a machine.
	Package bool
	Port    int // of the dev server
}

// New makes the plan for a project and changes nothing. The error is a
// *ProjectError.
func New(p Project, cfg *settings.Config, o Options) (Plan, error) {
	plan := Plan{Project: p, HasURL: cfg.Origin(settings.DatabaseURL).Variable != ""}
	for _, part := range []func() ([]Step, error){
		func() ([]Step, error) { return p.moduleSteps(o) },
		func() ([]Step, error) { return p.scriptSteps(o) },
		func() ([]Step, error) { return p.packageSteps(o) },
		func() ([]Step, error) { return p.envSteps(cfg) },
		p.ignoreSteps,
		p.generated(p.clientSteps),
		p.generated(func() ([]Step, error) { return p.viteSteps(o.Port) }),
		p.generated(p.vitestSteps),
	} {
		steps, err := part()
		if err != nil {
			return plan, err
		}
		plan.Steps = append(plan.Steps, steps...)
	}
	plan.Steps = append(plan.Steps, p.programSteps(o)...)
	plan.Install = p.missing()
	for _, s := range plan.Steps {
		if !s.Writes() {
			continue
		}
		if err := p.inside(s.Path); err != nil {
			return plan, err
		}
	}
	return plan, nil
}

// generated leaves out the steps of what dev:init does not write here.
func (p Project) generated(steps func() ([]Step, error)) func() ([]Step, error) {
	if p.Generates() {
		return steps
	}
	return func() ([]Step, error) { return nil, nil }
}

// missing are the packages that the client module needs.
func (p Project) missing() []string {
	var list []string
	if !p.Generates() {
		return nil
	}
	if p.Driver == Prisma && !p.has(prismaPackage) {
		list = append(list, prismaPackage)
	}
	if p.Driver == Prisma && p.Major >= 7 && !p.has(adapter) {
		list = append(list, adapter)
	}
	if p.TypeScript && !p.hasTypes {
		list = append(list, "@types/node")
	}
	if p.TypeScript && p.Driver == NodePg && !p.has("@types/pg") {
		list = append(list, "@types/pg")
	}
	return list
}

// file is the step of a file that is written as a whole. One that is there
// stays: an older or changed one of ours is shown with its difference, for one
// of the user's own there are the lines to add by hand (add; empty: none, its
// name is what is in the way).
func (p Project) file(path string, text []byte, why, add string) Step {
	s := Step{Path: path, Action: Create, Why: why, after: text, mode: 0o644}
	have, err := readFile(p.path(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s
	case err != nil:
		return Step{Path: path, Action: Differs, Why: "can't be read: " + cause(err)}
	case bytes.Equal(have, text):
		return Step{Path: path, Action: Keep, Why: "as it should be"}
	case resembles(string(have), string(text)):
		return Step{Path: path, Action: Differs, Why: "is not what dev:init would write", Show: unified(path, string(have), string(text))}
	case add == "":
		return Step{Path: path, Action: Differs, Why: "is a file of your own; rename it and run dev:init again"}
	}
	return Step{Path: path, Action: Differs, Why: "is a file of your own; add to it", Show: add}
}

// resembles tells whether nearly all lines of a file stand in the other one, too.
func resembles(have, text string) bool {
	kept, all := 0, 0
	for _, line := range splitLines(have) {
		if len(strings.TrimSpace(line)) < 3 {
			continue // braces and the like
		}
		all++
		if strings.Contains(text, line) {
			kept++
		}
	}
	return 4*kept > 3*all
}

// merged is the step of a file that lines are added to.
func merged(path, why string, before, after []byte) Step {
	return Step{Path: path, Action: Merge, Why: why, Show: unified(path, string(before), string(after)), before: before, after: after}
}

// inside refuses a path that a symbolic link leads out of the project, or that
// runs through something that is no folder.
func (p Project) inside(rel string) error {
	root, err := filepath.EvalSymlinks(p.Root)
	if err != nil {
		return unreadable(p.Root, err)
	}
	for at := p.path(rel); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err != nil {
			continue // not there yet: the folder above decides
		}
		real, err := filepath.EvalSymlinks(at)
		inside := err == nil
		if inside {
			up, relErr := filepath.Rel(root, real)
			inside = relErr == nil && filepath.IsLocal(up)
		}
		if !inside {
			return &ProjectError{ErrOutside, fmt.Sprintf("%s is a symbolic link that leads out of %s: refused, nothing was touched.", at, p.Root), "put a file or folder of the project's own there: " + rel}
		}
		return nil
	}
}

func unreadable(path string, err error) error {
	return &ProjectError{ErrFile, fmt.Sprintf("%s can't be read: %s; nothing was touched.", path, cause(err)), "make it readable: " + path}
}

// cause is an error of the file system without its path, which is said already.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
