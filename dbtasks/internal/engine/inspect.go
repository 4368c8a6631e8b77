package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// inspect asks for containers by their ids; those that are gone are left out.
func (e *Engine) inspect(ctx context.Context, ids ...string) ([]Container, error) {
	text, err := e.run(ctx, nil, append([]string{"inspect", "--type", "container"}, ids...)...)
	if err != nil && !errors.Is(err, ErrGone) {
		return nil, err
	}
	list, err := parseInspect(text)
	if err != nil {
		return nil, fmt.Errorf("%s inspect: %w", e.Program, err)
	}
	for i := range list {
		list[i].Engine = e
		list[i].PID = provenPID(list[i])
	}
	return list, nil
}

// provenPID is the main process if that is seen to be the container's: a virtual
// machine's numbers mean other processes here. Its control group names the
// container; where a rootless engine makes none, it lives in a process table of
// its own, as its first process.
func provenPID(c Container) int {
	if c.PID == 0 {
		return 0
	}
	place, err := hostops.PlaceOf(c.PID)
	if err != nil || place.Container != c.ID && (place.Container != "" || len(place.PIDs) < 2 || place.PIDs[len(place.PIDs)-1] != 1) {
		return 0
	}
	return c.PID
}

type portBinding struct{ HostIp, HostPort string } //nolint:revive // the engines' spelling

// parseInspect reads `docker inspect`; Podman's has the same fields.
func parseInspect(text string) ([]Container, error) {
	var inspected []struct {
		ID     string `json:"Id"`
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
		State struct {
			Status    string
			Pid       int
			ExitCode  int
			OOMKilled bool
			StartedAt time.Time
		}
		RestartCount int
		HostConfig   struct {
			PidMode, NetworkMode string
			Memory               int64
			PortBindings         map[string][]portBinding
		}
		NetworkSettings struct {
			Ports    map[string][]portBinding
			Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
		}
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &inspected); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	list := make([]Container, 0, len(inspected))
	for _, one := range inspected {
		label := func(name string) string { return one.Config.Labels["com.docker.compose."+name] }
		c := Container{
			ID: one.ID, Name: plain.Line(strings.TrimPrefix(one.Name, "/")), Image: plain.Line(one.Config.Image), State: State(one.State.Status), PID: one.State.Pid,
			ExitCode: one.State.ExitCode, OutOfMemory: one.State.OOMKilled, RestartCount: one.RestartCount,
			Project: plain.Line(label("project")), Service: plain.Line(label("service")), Dir: label("project.working_dir"),
			HostNetwork: one.HostConfig.NetworkMode == "host", MemoryLimit: one.HostConfig.Memory,
			HostPIDs: one.HostConfig.PidMode != "" && one.HostConfig.PidMode != "private",
		}
		if one.State.StartedAt.Year() > 1 {
			c.Started = one.State.StartedAt
		}
		if files := label("project.config_files"); files != "" {
			c.Files = strings.Split(files, ",")
		}
		ports := one.NetworkSettings.Ports // as they are; the others as they are wanted
		if len(ports) == 0 {
			ports = one.HostConfig.PortBindings
		}
		for inside, bindings := range ports {
			number, protocol, _ := strings.Cut(inside, "/")
			port, err := strconv.Atoi(number)
			if err != nil || protocol != "" && protocol != "tcp" {
				continue
			}
			for _, b := range bindings {
				c.Bindings = append(c.Bindings, Binding{hostAddr(b), port})
			}
		}
		slices.SortFunc(c.Bindings, func(a, b Binding) int { return a.Host.Compare(b.Host) })
		for name, network := range one.NetworkSettings.Networks {
			n := Network{Name: name}
			for _, text := range []string{network.IPAddress, network.GlobalIPv6Address} {
				if addr, err := netip.ParseAddr(text); err == nil {
					n.Addrs = append(n.Addrs, addr)
				}
			}
			if len(n.Addrs) > 0 {
				c.Networks = append(c.Networks, n)
			}
		}
		slices.SortFunc(c.Networks, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
		list = append(list, c)
	}
	return list, nil
}

// hostAddr reads where a port is published; without an address it is all.
func hostAddr(b portBinding) netip.AddrPort {
	addr, err := netip.ParseAddr(b.HostIp)
	if err != nil {
		addr = netip.IPv6Unspecified()
	}
	port, _ := strconv.ParseUint(b.HostPort, 10, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}
