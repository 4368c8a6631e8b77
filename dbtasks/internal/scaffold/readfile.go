package scaffold

import (
	"io/fs"
	"os"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plainfile"
)

// readFile is a project's file to the byte: what is compared and written again.
// A pipe, whose reading would wait, a device and a file of more than
// plainfile.Lock bytes are refused.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: plainfile.ErrNotRegular}
	case info.Size() > plainfile.Lock:
		return nil, &fs.PathError{Op: "read", Path: path, Err: plainfile.ErrTooLong}
	}
	return os.ReadFile(path)
}
