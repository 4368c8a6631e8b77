package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// envFile is one .env file as read.
type envFile struct {
	path    string
	there   bool
	text    string
	list    []assigned
	problem *SettingError // why it can't be read; its list is empty then
}

// readEnv reads one file with a grammar. One that is not there has no
// assignments, and one that can't be read neither: its problem says why. The
// error is a *plainfile.TrustError: nothing of such a file is used.
func readEnv(path string, parse grammar) (*envFile, error) {
	f := &envFile{path: path}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	f.there = true
	if err := plainfile.Trust(path); err != nil {
		return nil, err
	}
	text, err := readText(path)
	if err != nil {
		f.problem = &SettingError{File: path, Problem: "can't be read: " + withoutPath(err)}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			f.problem.Problem = "is a folder, and should be a file"
		}
		return f, nil
	}
	f.parse(text, parse)
	return f, nil
}

func (f *envFile) parse(text []byte, parse grammar) {
	if problem := noText(text); problem != "" {
		f.problem = &SettingError{File: f.path, Problem: problem}
		return
	}
	f.text = string(text)
	f.list = parse(f.text)
}

// swallowed is the assignment of several lines whose text has the line that
// sets a variable: a quote above it is not closed where it should be.
func (f *envFile) swallowed(name string) (within assigned, line int, ok bool) {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(f.text), "\n")
	for _, a := range f.list {
		for n := a.line + 1; n <= min(a.last, len(lines)); n++ {
			text := strings.TrimPrefix(strings.TrimSpace(lines[n-1]), "export ")
			if before, _, has := strings.Cut(text, "="); has && strings.TrimSpace(before) == name {
				return a, n, true
			}
		}
	}
	return assigned{}, 0, false
}

// pipePatience is how long the writer of a named pipe may take: password
// managers put one in the place of .env, and the app's own tools read it.
const pipePatience = 5 * time.Second

// readText reads a file, a named pipe for pipePatience at most, and nothing
// above plainfile.Env bytes.
func readText(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		text, err := plainfile.ReadWhole(path, plainfile.Env)
		return text, err
	}
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		file, err := os.Open(path)
		if err != nil {
			done <- read{nil, err}
			return
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, plainfile.Env))
		done <- read{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-time.After(pipePatience):
		return nil, fmt.Errorf("it is a named pipe, and nobody wrote to it within %s", pipePatience)
	}
}

// withoutPath is an error of the file system without its path, which is said
// already.
func withoutPath(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	for _, known := range []error{plainfile.ErrTooLong, plainfile.ErrNotRegular} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// relativeTo is a path for people: from the folder they stand in as a rule.
func relativeTo(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}
