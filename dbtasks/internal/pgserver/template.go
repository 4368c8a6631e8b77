package pgserver

import (
	"context"
	"fmt"
)

// Template is a data directory that was initialised once and is copied for
// each server; they have the superuser's password in common. It is removed by
// Close or when this process ends, whatever ends it.
type Template struct {
	dir, password string
	keeper        *keeperProcess
}

// NewTemplate initialises a data directory.
func NewTemplate(ctx context.Context, b Binaries) (*Template, error) {
	password := RandomPassword()
	k, place, err := startKeeper(ctx, keeperSpec{Bin: b.Dir, Password: password, DataOnly: true}, nil)
	if err != nil {
		return nil, fmt.Errorf("initialise a template: %w", err)
	}
	return &Template{dir: place.Dir, password: password, keeper: k}, nil
}

// Close removes it; servers made from it live on.
func (t *Template) Close(ctx context.Context) error { return t.keeper.stop(ctx) }

// String does not show the password.
func (t *Template) String() string { return "template of a disposable PostgreSQL, " + t.dir }

// GoString does not show it either.
func (t *Template) GoString() string { return t.String() }
