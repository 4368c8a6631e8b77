package plainfile

import (
	"fmt"
	"path/filepath"
)

// TrustError is a file or folder that another account could have written.
type TrustError struct {
	Path    string // the file or folder
	Problem string // a clause: "belongs to games"
	Fix     string // the command that mends it: "chmod go-w /srv/shop"
}

func (e *TrustError) Error() string {
	return fmt.Sprintf("%s %s: another account could put commands and passwords there", e.Path, e.Problem)
}

// Trust tells whether a file that gives commands or passwords, and the folder
// it lies in, belong to this process's user or to root and can't be written by
// others; the error is a *TrustError else. As root in sudo the files of the
// user who called sudo count, too. A link is trusted where both the folder it
// stands in and its target are. What is not there is trusted: nothing is read
// from it. On Windows nothing is told, and everything trusted: its rights are
// lists that a mode does not show.
func Trust(path string) error {
	if err := TrustFolder(filepath.Dir(path)); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	if real != path {
		if err := TrustFolder(filepath.Dir(real)); err != nil {
			return err
		}
	}
	return trust(real)
}

// TrustFolder is Trust for a folder.
func TrustFolder(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil
	}
	return trust(real)
}
