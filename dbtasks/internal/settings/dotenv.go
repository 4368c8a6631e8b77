package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/joho/godotenv"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// dotenv is one .env file as read.
type dotenv struct {
	path   string
	values map[string]string // with a mark for each reference, see references
	lines  map[string]int    // of the last assignment of each name
	refs   references
}

// assignment matches the start of a line that sets a variable.
var assignment = lazyregexp.New(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]`)

// readDotenv reads one file; a file that is not there has no values. Its error
// is a *SettingError.
func readDotenv(path string) (dotenv, error) {
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return dotenv{path: path}, nil
	}
	if err != nil {
		problem := "can't be read: " + withoutPath(err)
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			problem = "is a folder, and should be a file"
		}
		return dotenv{}, &SettingError{File: path, Problem: problem}
	}
	return parseDotenv(path, text)
}

// pipePatience is how long the writer of a named pipe may take: password
// managers put one in the place of .env.
const pipePatience = 5 * time.Second

// readFile does not wait for ever for a pipe that nobody writes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return os.ReadFile(path)
	}
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() { text, err := os.ReadFile(path); done <- read{text, err} }()
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
	return err.Error()
}

// parseDotenv reads a file's text: a byte-order mark of UTF-8 and any of the
// three kinds of line ends are taken.
func parseDotenv(path string, text []byte) (dotenv, error) {
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) || bytes.ContainsAny(text, "\x00"+markStart+markEnd) {
		return dotenv{}, &SettingError{File: path, Problem: "is no UTF-8 text (UTF-16?): save it as UTF-8"}
	}
	text = bytes.TrimPrefix(text, []byte{0xef, 0xbb, 0xbf})
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	d := dotenv{path: path, lines: map[string]int{}}
	for i, line := range strings.Split(string(text), "\n") {
		if m := assignment().FindStringSubmatch(line); m != nil {
			d.lines[m[1]] = i + 1
		}
	}
	replaced := d.refs.replace(string(text))
	values, err := unmarshal(d.refs.assignments() + replaced)
	if err != nil {
		// godotenv's own error quotes the text, which may be a password.
		return dotenv{}, &SettingError{File: path, Line: badLine(replaced), Problem: "can't be read: this is no assignment (NAME=value), or a quote is not closed"}
	}
	d.values = map[string]string{}
	for name, value := range values {
		if !strings.HasPrefix(name, alias) {
			d.values[name] = d.refs.restore(value)
		}
	}
	return d, nil
}

// unmarshal guards against a panic of the parser on text it does not foresee.
func unmarshal(text string) (values map[string]string, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("unreadable")
		}
	}()
	return godotenv.Unmarshal(text)
}

// badLine is the first line of the assignment that can't be read: the ones
// before it can, an assignment of several lines as one.
func badLine(text string) int {
	line, lines := 1, 0
	start, end := 0, 0
	for l := range strings.SplitAfterSeq(text, "\n") {
		end += len(l)
		lines++
		if _, err := unmarshal(text[start:end]); err == nil {
			start, line = end, lines+1
		}
	}
	return min(line, lines)
}
