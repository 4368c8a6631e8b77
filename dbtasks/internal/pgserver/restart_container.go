package pgserver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// Container is a container whose server is reached through a port of this
// machine.
type Container struct {
	Engine  string // the engine's program: docker, podman
	ID      string
	Name    string
	Image   string
	Project string // of Compose; "" when it is not Compose's
	Service string
	Compose string // Compose's files, separated by commas
	Port    int    // inside the container

	hostPIDs bool // it sees processes that are not its own
}

// String names it for people.
func (c Container) String() string {
	if c.Image == "" {
		return "container " + c.Name
	}
	if c.Service != "" {
		return fmt.Sprintf("container %s (%s, service %s of Compose project %s)", c.Name, c.Image, c.Service, c.Project)
	}
	return fmt.Sprintf("container %s (%s)", c.Name, c.Image)
}

// enginesOf are the programs to ask, by the forwarder that listens. OrbStack
// and Docker Desktop answer as docker; a rootless forwarder may be either's.
func enginesOf(forwarder string) []string {
	name := programName(forwarder)
	switch {
	case strings.HasPrefix(name, "docker"), strings.HasPrefix(name, "com.docker"), strings.HasPrefix(name, "orbstack"), strings.HasPrefix(name, "vpnkit"):
		return []string{"docker"}
	case name == "conmon", name == "gvproxy", name == "rootlessport", strings.HasPrefix(name, "pas"):
		return []string{"podman"}
	}
	return []string{"docker", "podman"}
}

// FindContainer asks the engine of a forwarder for the running container that
// publishes a port of this machine. ErrNoContainer when there is none, or
// several.
func FindContainer(forwarder string, port int) (Container, error) {
	var found []Container
	var last error
	for _, engine := range enginesOf(forwarder) {
		if err := localEngine(engine); err != nil {
			last = err
			continue
		}
		ids, err := ask(engine, "ps", "-q", "--no-trunc")
		if err != nil {
			last = fmt.Errorf("%s ps: %w", engine, err)
			continue
		}
		if strings.TrimSpace(ids) == "" {
			continue
		}
		text, err := ask(engine, append([]string{"inspect"}, strings.Fields(ids)...)...)
		if err == nil {
			var all []Container
			all, err = publishing(text, port)
			for i := range all {
				all[i].Engine = engine
			}
			found = append(found, all...)
		}
		if err != nil {
			last = fmt.Errorf("%s inspect: %w", engine, err)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Container{}, fmt.Errorf("%w: %d containers publish port %d", ErrNoContainer, len(found), port)
	case last != nil:
		return Container{}, fmt.Errorf("%w: %w", ErrNoContainer, last)
	}
	return Container{}, fmt.Errorf("%w: no running one publishes port %d", ErrNoContainer, port)
}

// localEngine refuses an engine of another machine, where a container of its
// own may publish the same port. An address by ssh to this machine is Podman's
// virtual machine.
func localEngine(engine string) error {
	host := os.Getenv("CONTAINER_HOST")
	if engine == "docker" {
		host = os.Getenv("DOCKER_HOST")
		// With DOCKER_HOST set it answers that.
		if told, err := ask("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"); err == nil {
			host = strings.TrimSpace(told)
		}
	}
	if host == "" {
		return nil
	}
	u, err := url.Parse(host)
	if err == nil && (u.Scheme == "unix" || u.Scheme == "npipe" || u.Scheme == "ssh" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost")) {
		return nil
	}
	return fmt.Errorf("%s is set to an engine of another machine", engine)
}

// publishing reads `docker inspect` (podman's has the same fields) for the
// containers that publish the port on this machine.
func publishing(text string, port int) ([]Container, error) {
	var inspected []struct {
		ID     string `json:"Id"`
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
		HostConfig      struct{ PidMode string }
		NetworkSettings struct {
			Ports map[string][]struct{ HostPort string }
		}
	}
	if err := json.Unmarshal([]byte(text), &inspected); err != nil {
		return nil, err
	}
	var list []Container
	for _, one := range inspected {
		for inside, bindings := range one.NetworkSettings.Ports {
			number, protocol, _ := strings.Cut(inside, "/")
			if protocol == "udp" {
				continue
			}
			for _, b := range bindings {
				if b.HostPort != strconv.Itoa(port) {
					continue
				}
				c := Container{ID: one.ID, Name: strings.TrimPrefix(one.Name, "/"), Image: one.Config.Image, Project: one.Config.Labels["com.docker.compose.project"], Service: one.Config.Labels["com.docker.compose.service"],
					Compose: one.Config.Labels["com.docker.compose.project.config_files"]}
				c.Port, _ = strconv.Atoi(number)
				c.hostPIDs = one.HostConfig.PidMode != "" && one.HostConfig.PidMode != "private"
				if !slices.Contains(list, c) { // IPv4 and IPv6 are two bindings
					list = append(list, c)
				}
			}
		}
	}
	return list, nil
}

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
	typed := shellLine([]string{c.Engine, "restart", "-t", containerPatience, c.Name})
	if _, err := exec.LookPath(c.Engine); err != nil {
		return found{}, false, errManual("it runs in a container, and there is no "+c.Engine+" here", typed)
	}
	state := Command{Argv: []string{c.Engine, "inspect", "-f", "{{.Id}} {{.State.Pid}} {{.State.Running}} {{.State.StartedAt}}", c.ID}}
	text, err := state.output()
	if err != nil {
		return found{}, false, errManual(fmt.Sprintf("it runs in %s, and %s does not answer for it (%s)", c, c.Engine, firstLine(err)), typed)
	}
	f := found{client: []string{c.Engine}, name: c.ID, shown: c.Name, evidence: fmt.Sprintf("it runs in %s", c)}
	f.keeper = keeperOf{words: c.Engine, list: state, parse: parseState, name: c.ID}
	if list := parseState(text); len(list) == 1 {
		f.keeper.started = list[0].started
	}
	return f, true, nil
}

// containerIn is the container of a cgroup; nil where it is none, or ours.
func containerIn(cgroup, ours string) *Container {
	for _, p := range cgroupPaths(cgroup) {
		m := inEngine().FindStringSubmatch(p)
		if m == nil || strings.Contains(ours, m[2]) {
			continue
		}
		engine := "docker"
		if m[1] == "libpod" {
			engine = "podman"
		}
		return &Container{Engine: engine, ID: m[2]}
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
