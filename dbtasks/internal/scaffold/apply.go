package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Apply writes what the plan says, a file at a time: each is written beside its
// place and renamed into it, so that whatever ends the run leaves whole files
// only, and the next run goes on with the rest. It gives how many files it
// wrote. ctx is looked at between two files. The error names the file.
func Apply(ctx context.Context, plan Plan) (written int, err error) {
	for _, s := range plan.Steps {
		if plan.Project.inside(s.Path) == nil {
			tidyUp(plan.Project.path(s.Path))
		}
		if !s.Writes() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return written, fmt.Errorf("stopped before %s: %w", s.Path, err)
		}
		if err := plan.Project.inside(s.Path); err != nil {
			return written, err
		}
		if err := s.write(plan.Project.path(s.Path)); err != nil {
			return written, fmt.Errorf("write %s: %w", s.Path, err)
		}
		written++
	}
	return written, nil
}

// write puts the step's text in place. A symbolic link within the project
// stays one: what it leads to is written.
func (s Step) write(path string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	beside := besideOf(path)
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was killed
		return err
	}
	if err := s.fill(beside, path); err != nil {
		_ = os.Remove(beside)
		return err
	}
	if err := s.unchanged(path); err != nil {
		_ = os.Remove(beside)
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		_ = os.Remove(beside)
		return err
	}
	return nil
}

// besideOf is the name of the file that takes the place of another.
func besideOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".dbtasks-new")
}

// tidyUp takes away what a run that was killed left beside a place. A name that
// is not there, or not ours to remove, is nothing.
func tidyUp(path string) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Lstat(besideOf(path)); err == nil && info.Mode().IsRegular() {
		_ = os.Remove(besideOf(path))
	}
}

// fill writes the file beside its place, with the mode, and where it may with
// the owner, of the one that it takes the place of.
func (s Step) fill(beside, path string) (err error) {
	var text io.Reader = bytes.NewReader(s.after)
	if s.from != "" {
		program, err := os.Open(s.from)
		if err != nil {
			return err
		}
		defer program.Close()
		text = program
	}
	mode := s.mode
	info, statErr := os.Stat(path)
	if statErr == nil {
		mode = info.Mode().Perm()
	}
	f, appear, err := newFile(beside)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err := io.Copy(f, text); err != nil {
		return err
	}
	if statErr == nil {
		keepOwner(f, info)
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return appear()
}

// unchanged makes sure that the place is as the plan saw it.
func (s Step) unchanged(path string) error {
	have, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.Action == Create:
		return nil
	case err != nil:
		return err
	case s.Action == Merge && bytes.Equal(have, s.before):
		return nil
	}
	return ErrChanged
}

// Tidy is an error of Apply for people: the operating system's words without
// the name of the file beside.
func Tidy(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	text := err.Error()
	if errors.As(err, &path) {
		text = strings.Replace(text, path.Error(), path.Err.Error(), 1)
	} else if errors.As(err, &link) {
		text = strings.Replace(text, link.Error(), link.Err.Error(), 1)
	}
	return strings.TrimSuffix(text, ": "+context.Canceled.Error()) // "stopped before …" says it
}
