package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pgrunbook/pgrunbook/dbtasks/config"
)

// Options are what the project itself does not tell.
type Options struct {
	// Source finds the folder of the dbtasks module, for the replace in
	// magefiles/go.mod; it is asked when that has to be written. Its error is a
	// *ProjectError.
	Source  func() (string, error)
	Program string // a compiled runbook to copy to bin/dbtasks; empty: none
	Port    int    // of the dev server
}

// New makes the plan for a project and changes nothing. The error is a
// *ProjectError.
func New(p Project, cfg *config.Config, o Options) (Plan, error) {
	plan := Plan{Project: p, HasURL: cfg.Origin(config.DatabaseURL).Variable != ""}
	module, err := p.moduleSteps(o)
	if err != nil {
		return plan, err
	}
	plan.Steps = append(plan.Steps, module...)
	for _, part := range []func() ([]Step, error){
		p.scriptSteps,
		p.packageSteps,
		func() ([]Step, error) { return p.envSteps(cfg) },
		p.ignoreSteps,
		p.clientSteps,
		func() ([]Step, error) { return p.viteSteps(o.Port) },
		p.vitestSteps,
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

// missing are the packages that the client module needs.
func (p Project) missing() []string {
	var list []string
	if p.Driver == Prisma && !p.pkg.has("@prisma/client") {
		list = append(list, "@prisma/client")
	}
	if p.Driver == Prisma && p.Major >= 7 && !p.pkg.has(adapter) {
		list = append(list, adapter)
	}
	if p.TypeScript && !p.hasTypes {
		list = append(list, "@types/node")
	}
	if p.TypeScript && p.Driver == NodePg && !p.pkg.has("@types/pg") {
		list = append(list, "@types/pg")
	}
	return list
}

// file is the step of a file that is written as a whole: where one is there
// already it stays, and a difference is shown.
func (p Project) file(path string, text []byte, why string) Step {
	s := Step{Path: path, Action: Create, Why: why, after: text, mode: 0o644}
	have, err := os.ReadFile(p.path(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s
	case err != nil:
		return Step{Path: path, Action: Differs, Why: "can't be read: " + cause(err)}
	case bytes.Equal(have, text):
		return Step{Path: path, Action: Keep, Why: "as it should be"}
	}
	return Step{Path: path, Action: Differs, Why: "is there, and is not what dev:init would write", Show: unified(path, string(have), string(text))}
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
