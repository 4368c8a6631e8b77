package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// AutoConf is a postgresql.auto.conf, where ALTER SYSTEM writes, as it was when
// it was read.
type AutoConf struct {
	Path string

	text  []byte
	owner account
}

// ReadAutoConf reads the one of a data directory, to put it back later.
// ErrNotReadable when that is neither ours nor are we root.
func ReadAutoConf(dataDir string) (*AutoConf, error) {
	path := filepath.Join(dataDir, "postgresql.auto.conf")
	owner, err := ownerOf(dataDir)
	if err != nil {
		return nil, err
	}
	if !owner.usable() {
		return nil, fmt.Errorf("%w: %s", ErrNotReadable, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return &AutoConf{Path: path, text: text, owner: owner}, nil
}

// Restore puts the file back as it was, as the owner's, all of it or nothing.
// It is for a server that does not run: one that does writes it itself.
func (a *AutoConf) Restore() error {
	tmp, err := os.CreateTemp(filepath.Dir(a.Path), "dbtasks-auto-")
	if err != nil {
		return fmt.Errorf("restore %s: %w", a.Path, err)
	}
	defer os.Remove(tmp.Name()) // gone by then when it was renamed
	_, err = tmp.Write(a.text)
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = a.owner.own(tmp.Name())
	}
	if err == nil {
		err = os.Rename(tmp.Name(), a.Path)
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", a.Path, err)
	}
	return nil
}
