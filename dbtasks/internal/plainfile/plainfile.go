// Package plainfile reads files that lie in a folder which others, or a
// mistake, may have filled: a pipe, a device and a file without end are refused
// instead of waited for.
package plainfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// The sizes in bytes up to which files are read.
const (
	Settings = 1 << 20  // package.json, the settings of tools
	Env      = 16 << 20 // .env files
	Lock     = 64 << 20 // lock files, which may be long
)

// Why a file is not read, beside what the file system says.
var (
	ErrNotRegular = errors.New("it is no regular file")
	ErrTooLong    = errors.New("it is too long")
)

// Read is ReadWhole without a byte-order mark of UTF-8.
func Read(path string, most int64) ([]byte, error) {
	text, err := ReadWhole(path, most)
	return bytes.TrimPrefix(text, []byte{0xef, 0xbb, 0xbf}), err
}

// ReadWhole is a file's text as it is. It does not wait: what is no regular file (a pipe, a device, a folder) is ErrNotRegular, and
// one of more than most bytes ErrTooLong. A file that is not there is
// fs.ErrNotExist.
func ReadWhole(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: %w", path, ErrNotRegular)
	}
	// The file may have become a pipe in the meantime, whose opening would wait.
	file, err := os.OpenFile(path, os.O_RDONLY|doNotWait, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: %w", path, ErrNotRegular)
	}
	// The size is no promise: files in /proc have none and some grow meanwhile.
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("read %s: %w (above %d bytes)", path, ErrTooLong, most)
	}
	return text, nil
}

// Exists tells whether there is something of this name, whatever it is.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
