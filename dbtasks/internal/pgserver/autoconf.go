package pgserver

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
)

// autoConfName is the file that ALTER SYSTEM writes.
const autoConfName = "postgresql.auto.conf"

// AutoConf is a postgresql.auto.conf as it was when it was read.
type AutoConf struct {
	Path string // inside the container where Container is set

	container *engine.Container
	archive   []byte // the container's file with its owner and mode, as tar
	text      []byte
	owner     account
}

// String is the file for people.
func (a *AutoConf) String() string {
	if a.container != nil {
		return fmt.Sprintf("%s in %s", a.Path, a.container)
	}
	return a.Path
}

// ReadAutoConf reads the one of a server, to put it back later. dataDir is what
// the server itself calls its data directory. ErrNotReadable when that is
// neither ours nor are we root.
func ReadAutoConf(s Subject, dataDir string) (*AutoConf, error) {
	if s.Container != nil {
		return readInContainer(s.Container, path.Join(dataDir, autoConfName))
	}
	if s.Files == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotReadable, filepath.Join(dataDir, autoConfName))
	}
	file := filepath.Join(s.Files.DataDir, autoConfName)
	owner, err := ownerOf(s.Files.DataDir)
	if err != nil {
		return nil, err
	}
	if !owner.usable() {
		return nil, fmt.Errorf("%w: %s", ErrNotReadable, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return &AutoConf{Path: file, text: text, owner: owner}, nil
}

// readInContainer takes the file out as a tar stream, which works on a
// container that is stopped as well. The owner is asked for inside: Podman
// writes root into the stream, whoever it is.
func readInContainer(c *engine.Container, file string) (*AutoConf, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	var stream bytes.Buffer
	if err := c.CopyFrom(ctx, file, &stream); err != nil {
		return nil, err
	}
	archive := tar.NewReader(&stream)
	header, err := archive.Next()
	if err == nil && header.Typeflag != tar.TypeReg {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s in %s: %w", file, c, err)
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return nil, fmt.Errorf("read %s in %s: %w", file, c, err)
	}
	owner, err := c.Exec(ctx, engine.ExecOptions{Args: []string{"stat", "-c", "%u %g", file}})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Sscan(owner, &header.Uid, &header.Gid); err != nil {
		return nil, fmt.Errorf("ask who owns %s in %s: %q", file, c, owner)
	}
	header.Uname, header.Gname, header.PAXRecords, header.Format = "", "", nil, tar.FormatUnknown
	stream.Reset()
	out := tar.NewWriter(&stream)
	if err = out.WriteHeader(header); err == nil {
		if _, err = out.Write(text); err == nil {
			err = out.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keep %s of %s: %w", file, c, err)
	}
	return &AutoConf{Path: file, container: c, archive: stream.Bytes(), text: text}, nil
}

// Restore puts the file back as it was, as the owner's, all of it or nothing.
// It is for a server that does not run: one that does writes it itself.
func (a *AutoConf) Restore() error {
	if err := a.restore(); err != nil {
		return fmt.Errorf("restore %s: %w", a, err)
	}
	return nil
}

func (a *AutoConf) restore() error {
	if a.container != nil {
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		return a.container.CopyTo(ctx, path.Dir(a.Path), bytes.NewReader(a.archive))
	}
	tmp, err := os.CreateTemp(filepath.Dir(a.Path), "dbtasks-auto-")
	if err != nil {
		return err
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
	return err
}
