package engine

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Again looks at a container again, by its id, where it was first seen. ErrGone
// where there is none.
func (c Container) Again(ctx context.Context) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, patience(listPatience))
	defer cancel()
	list, err := c.Engine.inspect(ctx, c.ID)
	switch {
	case err != nil:
		return Container{}, err
	case len(list) != 1 || list[0].ID != c.ID:
		return Container{}, fmt.Errorf("%s inspect: %w", c.Engine.Program, ErrGone)
	}
	return list[0], nil
}

// unchanged looks whether it is still in the state, and the run of it, that it
// was seen in.
func (c Container) unchanged(ctx context.Context) error {
	now, err := c.Again(ctx)
	if err == nil && (now.State != c.State || !now.Started.Equal(c.Started)) {
		err = fmt.Errorf("%w: it is %s", ErrChanged, now.State)
	}
	return err
}

// act does one thing to the container if it is unchanged; what it did is seen
// with Again. A cancelled act may go on in the engine.
func (c Container) act(ctx context.Context, verb string, options ...string) error {
	if err := c.unchanged(ctx); err != nil {
		return fmt.Errorf("%s %s: %w", verb, c, err)
	}
	_, err := c.Engine.run(ctx, nil, append(append([]string{verb}, options...), c.ID)...)
	return err
}

// Start starts a container that does not run, with the settings it has.
func (c Container) Start(ctx context.Context) error { return c.act(ctx, "start") }

// Unpause lets a paused container go on; nothing of it is lost.
func (c Container) Unpause(ctx context.Context) error { return c.act(ctx, "unpause") }

// Line is a command about it for a person to type: Line("logs", "--tail", "50")
// is "docker logs --tail 50 shop-db-1". It runs nothing else, whatever the name.
func (c Container) Line(verb string, options ...string) string {
	name := c.Name
	if !plainName().MatchString(name) {
		name = c.ID
	}
	return strings.Join(append(append([]string{c.Engine.Program, verb}, options...), name), " ")
}

// plainName is what both engines let a container be called.
var plainName = lazyregexp.New(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ExecOptions describe a program to run in a container.
type ExecOptions struct {
	User string // "uid:gid", a name, or "" for the image's own
	Args []string
	// Stdin is what it reads; nil: nothing. Secrets belong here, not into Args,
	// which everybody on this machine can read.
	Stdin io.Reader
}

// Exec runs a program in the container and is what it prints. A FailedError is
// the program's own failure; ErrGone, ErrDown and the others are the engine's. A
// cancelled one is left to itself in the container.
func (c Container) Exec(ctx context.Context, o ExecOptions) (string, error) {
	args := []string{"exec"}
	if o.User != "" {
		args = append(args, "-u", o.User)
	}
	if o.Stdin != nil {
		args = append(args, "-i")
	}
	return c.Engine.run(ctx, o.Stdin, append(append(args, c.ID), o.Args...)...)
}

// CopyFrom writes a file or folder of the container, by its absolute path there,
// as a tar stream. It works on a stopped container, too. Docker tells the owner;
// Podman says root whoever it is (measured with 4.3).
func (c Container) CopyFrom(ctx context.Context, path string, w io.Writer) error {
	cmd := c.Engine.command(ctx, "cp", c.ID+":"+path, "-")
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s cp: %w", c.Engine.Program, meaning(ctx, err, errs.String()))
	}
	return nil
}

// CopyTo unpacks a tar stream, with the owners that stand in it, in a folder of
// the container, which may be stopped.
func (c Container) CopyTo(ctx context.Context, dir string, tar io.Reader) error {
	owners := "-a" // Docker's: as they are; Podman's own: as the container's user
	if c.Engine.Program == "podman" {
		owners = "-a=false"
	}
	_, err := c.Engine.run(ctx, tar, "cp", owners, "-", c.ID+":"+dir)
	return err
}
