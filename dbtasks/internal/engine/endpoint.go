package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// dockerEndpoint is where Docker's program talks to, if that is this machine.
func dockerEndpoint(ctx context.Context) (string, error) {
	docker := Engine{Program: "docker"}
	// With DOCKER_HOST or DOCKER_CONTEXT set it answers those.
	text, err := docker.run(ctx, nil, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	if err != nil {
		if strings.Contains(err.Error(), "podman") {
			return "", errIsPodman
		}
		return "", err
	}
	return text, local(text, false)
}

// podmanLocal tells whether Podman's program works on this machine, as it does
// on Linux unless it is told otherwise; elsewhere it talks to a virtual machine
// of this one by ssh.
func podmanLocal(ctx context.Context) error {
	if host := os.Getenv("CONTAINER_HOST"); host != "" {
		return local(host, true)
	}
	name := os.Getenv("CONTAINER_CONNECTION")
	if name == "" && runtime.GOOS == "linux" {
		return nil
	}
	podman := Engine{Program: "podman"}
	text, err := podman.run(ctx, nil, "system", "connection", "list", "--format", "json")
	if err != nil {
		return err
	}
	var connections []struct {
		Name, URI string
		Default   bool
	}
	if err := json.Unmarshal([]byte(text), &connections); err != nil {
		return fmt.Errorf("podman system connection list: %w", err)
	}
	for _, c := range connections {
		if c.Name == name || name == "" && c.Default {
			return local(c.URI, true)
		}
	}
	return fmt.Errorf("%w: which one podman talks to can't be told", ErrRemote)
}

// local refuses an endpoint of another machine, where a container of its own may
// publish the same port: tcp and ssh, and a socket behind which a tunnel
// listens. ssh to this machine (virtual) is Podman's virtual machine, and the
// sockets of Lima and Colima are held by an ssh to theirs. The endpoint is named,
// without what stands before an @.
func local(endpoint string, machine bool) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("%w: its endpoint can't be read", ErrRemote)
	}
	named := u.Scheme + "://" + u.Host + u.Path
	switch u.Scheme {
	case "npipe":
		return nil
	case "ssh":
		if machine && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || u.Hostname() == "::1") {
			return nil
		}
	case "unix":
		if strings.Contains(u.Path, "/.lima/") || strings.Contains(u.Path, "/.colima/") || strings.Contains(u.Path, "/rancher-desktop/") {
			return nil
		}
		peer, err := hostops.PeerCred(u.Path)
		if err != nil || peer.PID == 0 {
			return nil // its program says more of why
		}
		if p, err := hostops.Find(peer.PID); err == nil && hostops.KindOf(p) == hostops.Tunnel {
			return fmt.Errorf("%w: %s listens at %s", ErrRemote, p, named)
		}
		return nil
	}
	return fmt.Errorf("%w: %s", ErrRemote, named)
}
