package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// containerPatience is how long an engine waits for the server to stop before
// it uses SIGKILL, in seconds; its own 10 are too few for a checkpoint.
const containerPatience = "60"

// inEngine is a container's cgroup: /docker/ID, docker-ID.scope,
// libpod-ID.scope, also below kubepods.
var inEngine = lazyregexp.New(`(docker|libpod)(?:-payload)?[-/]([0-9a-f]{64})`)

// toldContainer restarts the container itself, which keeps its data and its
// settings; through its ID, so that it is the very one that was looked at. One
// that was not handed over is told by the server's cgroup. Not when we are in
// it ourselves.
func toldContainer(s Subject) (found, bool, error) {
	c := s.Container
	if c == nil {
		c = containerIn(s.Cgroup, cgroupOf(selfPID))
	}
	if c == nil {
		return found{}, false, nil
	}
	if c.Name == "" {
		c.Name = c.ID[:min(12, len(c.ID))]
	}
	typed := c.Line("restart", "-t", containerPatience)
	if _, err := exec.LookPath(c.Engine.Program); err != nil {
		return found{}, false, errManual("it runs in a container, and there is no "+c.Engine.Program+" here", typed)
	}
	f := found{client: []string{c.Engine.Program}, name: c.ID, shown: c.Name, typed: typed, env: endpoint(c.Engine), evidence: fmt.Sprintf("it runs in %s", c)}
	state := Command{Argv: []string{c.Engine.Program, "inspect", "-f", "{{.Id}} {{.State.Pid}} {{.State.Running}} {{.State.StartedAt}}", c.ID}, Env: f.env}
	text, err := state.output()
	if err != nil {
		return found{}, false, errManual(fmt.Sprintf("it runs in %s, and %s does not answer for it (%s)", c, c.Engine.Program, firstLine(err)), typed)
	}
	f.keeper = keeperOf{words: c.Engine.Program, list: state, parse: parseState, name: c.ID}
	if list := parseState(text); len(list) == 1 {
		f.keeper.started = list[0].started
	}
	return f, true, nil
}

// endpoint is our environment with the endpoint where the container was seen,
// whatever the user's context is by now; nil where it needs none.
func endpoint(e *engine.Engine) []string {
	if e.Endpoint == "" {
		return nil
	}
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "DOCKER_CONTEXT=") && !strings.HasPrefix(entry, "DOCKER_HOST=") {
			env = append(env, entry)
		}
	}
	return append(env, "DOCKER_HOST="+e.Endpoint)
}

// containerIn is the container of a cgroup; nil where it is none, or ours.
func containerIn(cgroup, ours string) *engine.Container {
	for _, p := range cgroupPaths(cgroup) {
		m := inEngine().FindStringSubmatch(p)
		if m == nil || strings.Contains(ours, m[2]) {
			continue
		}
		program := "docker"
		if m[1] == "libpod" {
			program = "podman"
		}
		for _, e := range engine.List(context.Background()) {
			for _, c := range e.Containers {
				if c.ID == m[2] {
					return &c
				}
			}
		}
		return &engine.Container{Engine: &engine.Engine{Program: program}, ID: m[2]}
	}
	return nil
}

// parseState reads `ID PID RUNNING STARTED-AT`; the time may have spaces.
func parseState(text string) []running {
	fields := strings.Fields(text)
	if len(fields) < 4 {
		return nil
	}
	one := running{name: fields[0], started: strings.Join(fields[3:], " ")}
	if one.pid, _ = strconv.Atoi(fields[1]); fields[2] != "true" {
		one.pid = 0
	} else if one.pid == 0 {
		one.pid = -1 // it runs in a virtual machine
	}
	return []running{one}
}
