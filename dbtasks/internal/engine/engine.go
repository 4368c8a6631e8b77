// Package engine is what the container engines of this machine say, Docker and
// Podman, through their own programs and thereby through whatever endpoint the
// user's own commands use: contexts, DOCKER_HOST, rootful or rootless. Whoever
// may use the engine may use all of this; root is not needed.
package engine

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Engine is one container engine that this user's commands talk to.
type Engine struct {
	Program string // "docker" or "podman"
	// Endpoint is where Docker's program talks to, "unix:///var/run/docker.sock";
	// every later command goes there, whatever the context is by then. "" for
	// Podman, which needs none on Linux.
	Endpoint string
	// Err is why it says nothing: ErrDown, ErrDenied, ErrRemote, ErrSilent, each
	// with the program's own words. Nil: Containers are all that it has.
	Err        error
	Containers []Container
}

// listPatience is how long an engine may take to answer on an idle machine
// (patience); it takes 0.05 s.
const listPatience = 4 * time.Second

// List asks every engine whose program is installed, side by side, for all its
// containers, stopped ones included. It takes 4 s at most on an idle machine, and
// 20 s on a busy one. What an engine of
// another machine has is never listed. Without an engine it is empty; a Podman
// that this user has never used is none.
//
// A container that two programs know (Docker's talking to Podman's socket) is
// listed once.
func List(ctx context.Context) []Engine {
	ctx, cancel := context.WithTimeout(ctx, patience(listPatience))
	defer cancel()
	programs := []string{"docker", "podman"}
	answers := make([]*Engine, len(programs))
	var wg sync.WaitGroup
	for i, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		wg.Go(func() { answers[i] = ask(ctx, program) })
	}
	wg.Wait()
	list := []Engine{}
	known := map[string]bool{}
	for _, e := range answers {
		if e == nil {
			continue
		}
		e.Containers = slices.DeleteFunc(e.Containers, func(c Container) bool { return known[c.ID] })
		for _, c := range e.Containers {
			known[c.ID] = true
		}
		list = append(list, *e)
	}
	return list
}

// ask is what one program says; nil: it is no engine, or none that is used. A
// failure that may pass is asked about once more.
func ask(ctx context.Context, program string) *Engine {
	e := askOnce(ctx, program)
	if e != nil && mayPass(e.Err) && ctx.Err() == nil {
		return askOnce(ctx, program)
	}
	return e
}

// mayPass tells a failure that is no answer about the engine: a container that
// another command removes at that moment, a daemon that starts again.
func mayPass(err error) bool {
	return err != nil && !errors.Is(err, ErrDown) && !errors.Is(err, ErrDenied) && !errors.Is(err, ErrRemote) && !errors.Is(err, ErrSilent)
}

func askOnce(ctx context.Context, program string) *Engine {
	e := &Engine{Program: program}
	switch program {
	case "docker":
		if e.Endpoint, e.Err = dockerEndpoint(ctx); errors.Is(e.Err, errIsPodman) {
			return nil
		}
	case "podman":
		if !podmanUsed() {
			return nil
		}
		e.Err = podmanLocal(ctx)
	}
	if e.Err == nil {
		e.Containers, e.Err = e.list(ctx)
	}
	return e
}

// list inspects all containers. One that is removed meanwhile is left out.
func (e *Engine) list(ctx context.Context) ([]Container, error) {
	ids, err := e.run(ctx, nil, "ps", "-a", "-q", "--no-trunc")
	if err != nil || ids == "" {
		return nil, err
	}
	return e.inspect(ctx, strings.Fields(ids)...)
}
