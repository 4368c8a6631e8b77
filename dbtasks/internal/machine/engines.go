package machine

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
)

// engines are what the container engines of this machine said, asked once.
type engines struct {
	once sync.Once
	list []engine.Engine
}

// Engines asks the container engines of this machine, Docker and Podman, at
// most once for each look: that takes some hundredths of a second, and 4 s where
// one hangs, 20 s on a busy machine.
func (m *Machine) Engines(ctx context.Context) []engine.Engine {
	m.engines.once.Do(func() { m.engines.list = engine.List(ctx) })
	return m.engines.list
}

// Containers are those of all engines, stopped ones included.
func (m *Machine) Containers(ctx context.Context) []engine.Container {
	var list []engine.Container
	for _, e := range m.Engines(ctx) {
		list = append(list, e.Containers...)
	}
	return list
}

// ContainerAt is the container that has an address of its own; of several
// engines' networks with the same addresses nothing is chosen.
func (m *Machine) ContainerAt(ctx context.Context, addr netip.Addr) *engine.Container {
	var found *engine.Container
	for _, c := range m.Containers(ctx) {
		if c.HasAddr(addr) {
			if found != nil {
				return nil
			}
			found = &c
		}
	}
	return found
}

// EngineTrouble says, in the engines' own words, which of them could not be
// asked; empty: each was, or there is none.
func (m *Machine) EngineTrouble(ctx context.Context) string {
	var words []string
	for _, e := range m.Engines(ctx) {
		if e.Err != nil {
			words = append(words, fmt.Sprintf("%s could not be asked: %s", e.Program, e.Err))
		}
	}
	return strings.Join(words, "; ")
}
