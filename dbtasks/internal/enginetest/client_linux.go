package enginetest

import (
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// ClientOptions describe a container with an application that leaks sessions.
type ClientOptions struct {
	Name     string // the container's; "": the engine makes one up
	URL      string // of the server, as it is reached from the container
	Sessions int    // how many it holds; idle
	Network  string // as the engine calls it; "": its default
	Compose  Compose
	Args     []string // further ones of `run`, before the image
}

// Client runs a container whose application holds sessions, and waits until it
// has them all.
func (e *Engine) Client(o ClientOptions) *Container {
	e.t.Helper()
	leak := pgtest.LeakCommand(pgtest.LeakOptions{URL: o.URL, Sessions: o.Sessions})
	args := []string{"-i", "-v", leak.Path + ":/app:ro", "--entrypoint", "/app"}
	for _, variable := range leak.Env[len(leak.Env)-2:] {
		args = append(args, "-e", variable)
	}
	args = append(args, nameAndLabels(o.Name, o.Network, o.Compose)...)
	args = append(append(args, o.Args...), Image)
	c := &Container{e: e}
	e.start(c, append(args, leak.Args[1:]...))
	pgtest.Eventually(e.t, 30*time.Second, "the client in container "+c.Name+" has its sessions", func() bool {
		return strings.Contains(e.Run("logs", c.ID), "ready")
	})
	return c
}

func nameAndLabels(name, network string, compose Compose) []string {
	var args []string
	for flag, value := range map[string]string{"--name": name, "--network": network} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	if compose.Project == "" {
		return args
	}
	for label, value := range map[string]string{
		"project": compose.Project, "service": compose.Service, "container-number": "1", "oneoff": "False",
		"project.working_dir": compose.Dir, "project.config_files": strings.Join(compose.Files, ","),
	} {
		args = append(args, "--label", "com.docker.compose."+label+"="+value)
	}
	return args
}
