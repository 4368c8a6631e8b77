package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// podmanUsed tells whether this user has ever used Podman: its first command
// makes a store, and for an ordinary user leaves a process behind that keeps the
// account's namespace, which a look must not. Elsewhere than on Linux, and where
// the user's settings lead to another store, it counts as used.
func podmanUsed() bool {
	if runtime.GOOS != "linux" {
		return true
	}
	for _, name := range []string{"CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINERS_STORAGE_CONF"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	home, _ := os.UserHomeDir()
	places := []string{"/etc/containers/storage.conf"}
	if os.Geteuid() == 0 {
		places = append(places, "/var/lib/containers/storage")
	} else {
		data := cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local/share"))
		config := cmp.Or(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config"))
		places = append(places, filepath.Join(data, "containers/storage"), filepath.Join(config, "containers/storage.conf"))
	}
	return slices.ContainsFunc(places, func(path string) bool { _, err := os.Stat(path); return err == nil })
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
