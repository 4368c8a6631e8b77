package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// PostgresOptions describe a container with PostgreSQL. The zero value is a
// server with 20 slots, 3 of them reserved, on a free port of 127.0.0.1.
type PostgresOptions struct {
	Name string // the container's; "": the engine makes one up
	// Publish are values of -p: "127.0.0.1:5433:5432", "5433:5432". Nil: a free
	// port of 127.0.0.1; empty: none is published.
	Publish     []string
	Network     string // as the engine calls it; "": its default
	HostNetwork bool   // no network of its own; the server has a free port
	Compose     Compose
	Memory      string // limit, as --memory takes it: "256m"; "": none
	Restart     string // --restart; "": no
	Image       string // "": Image

	MaxConnections int      // 0: 20
	Settings       []string // further ones of the server: "cluster_name=x"
	// LocalPassword asks for a password on the Unix socket and on loopback, too;
	// default: trust, as in the official image.
	LocalPassword bool
	Superuser     string // "": postgres
	// Args are further ones of `docker run`, before the image.
	Args []string
	// NoWait returns at once: the server may never be ready.
	NoWait bool
	// NoServer runs a process that only sleeps, and waits for nothing: for tests of
	// what the engine says, a second faster.
	NoServer bool
}

// Compose are the labels that docker compose gives its containers; without a
// Project there are none.
type Compose struct {
	Project, Service string
	Dir              string   // of the project
	Files            []string // compose.yaml by its full path
}

// Container is a container that ends with its test.
type Container struct {
	ID, Name string
	PID      int // its main process on this machine; 0 when it does not run
	// Published is where it is reached from this machine, zero when nothing is
	// published. On the host's network it is the server's own address.
	Published netip.AddrPort
	Inside    netip.AddrPort // its own address on its first network; zero when it has none
	// Server is the way in, through the published address, else through its own.
	Server

	e *Engine
}

// Postgres runs a container with PostgreSQL and waits until it takes logins.
func (e *Engine) Postgres(o PostgresOptions) *Container {
	e.t.Helper()
	c := &Container{Server: Server{Superuser: o.Superuser, SuperuserPassword: pgserver.RandomPassword(), Password: pgserver.RandomPassword()}}
	if c.Superuser == "" {
		c.Superuser = "postgres"
	}
	port := 5432
	args := []string{"--stop-signal", "SIGINT"}
	switch {
	case o.HostNetwork:
		port = pgtest.FreePort(e.t)
		args = append(args, "--network", "host")
	case o.Publish == nil:
		o.Publish = []string{fmt.Sprintf("127.0.0.1:%d:5432", pgtest.FreePort(e.t))}
	}
	for _, p := range o.Publish {
		args = append(args, "-p", p)
	}
	args = append(args, nameAndLabels(o.Name, o.Network, o.Compose)...)
	for flag, value := range map[string]string{"--memory": o.Memory, "--restart": o.Restart} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	env := map[string]string{
		"POSTGRES_USER": c.Superuser, "POSTGRES_PASSWORD": c.SuperuserPassword,
		"INIT_SQL": fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s';\n\nCREATE DATABASE %s OWNER %s;\n", Role, c.Password, Database, Role),
	}
	if o.LocalPassword {
		env["LOCAL_AUTH"] = "scram-sha-256"
	}
	for name, value := range env {
		args = append(args, "-e", name+"="+value)
	}
	if o.Image == "" {
		o.Image = Image
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 20
	}
	if o.NoServer {
		e.start(c, append(append(append(args, o.Args...), "--entrypoint", "sleep"), o.Image, "1000000"))
		return c
	}
	args = append(append(args, o.Args...), o.Image, "-p", strconv.Itoa(port), "-c", fmt.Sprintf("max_connections=%d", o.MaxConnections))
	for _, setting := range o.Settings {
		args = append(args, "-c", setting)
	}
	e.start(c, args)
	if o.HostNetwork {
		c.Published = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
		c.At = c.Published
	}
	if !o.NoWait {
		c.AwaitLogin()
	}
	return c
}

// start runs a container, which ends with the test.
func (e *Engine) start(c *Container, args []string) {
	e.t.Helper()
	args = append(append([]string{"run", "-d"}, e.place()...), args...)
	before := time.Now()
	out := e.Run(args...)
	c.ID = out[strings.LastIndexByte(out, '\n')+1:] // after warnings
	c.e = e
	e.t.Cleanup(func() {
		if e.t.Failed() {
			log, _ := e.Command("logs", "--tail", "20", c.ID).CombinedOutput()
			e.t.Logf("the log of container %s: %s", c.Name, log)
		}
		remove := []string{"rm", "-f", "-v"}
		if e.Program == "podman" { // which else waits 10 s for a process that ignores SIGTERM
			remove = append(remove, "-t", "0")
		}
		// Podman can't remove one that its policy starts again at that moment.
		out, err := e.try(append(remove, c.ID)...)
		for tries := 1; err != nil && tries < 20; tries++ {
			time.Sleep(100 * time.Millisecond)
			out, err = e.try(append(remove, c.ID)...)
		}
		if err != nil {
			e.t.Errorf("remove container %s: %v: %s", c.Name, err, out)
		}
	})
	if took := time.Since(before); took > 10*time.Second {
		e.t.Logf("%s run took %s", e.Program, took)
	}
	c.Look()
}

// Look reads again what the engine says: after a restart pid and addresses may
// be others.
func (c *Container) Look() {
	c.e.t.Helper()
	var all []struct {
		Name            string
		State           struct{ Pid int }
		HostConfig      struct{ NetworkMode string }
		NetworkSettings struct {
			Ports    map[string][]struct{ HostIp, HostPort string }
			Networks map[string]struct{ IPAddress string }
		}
	}
	if err := json.Unmarshal([]byte(c.e.Run("inspect", c.ID)), &all); err != nil || len(all) != 1 {
		c.e.t.Fatalf("%s inspect: %v", c.e.Program, err)
	}
	one := all[0]
	c.Name, c.PID = strings.TrimPrefix(one.Name, "/"), one.State.Pid
	c.Inside = netip.AddrPort{}
	for _, network := range one.NetworkSettings.Networks {
		if addr, err := netip.ParseAddr(network.IPAddress); err == nil {
			c.Inside = netip.AddrPortFrom(addr, 5432)
		}
	}
	if one.HostConfig.NetworkMode == "host" {
		return
	}
	c.Published = netip.AddrPort{}
	for _, b := range one.NetworkSettings.Ports["5432/tcp"] {
		port, err := strconv.ParseUint(b.HostPort, 10, 16)
		addr, _ := netip.ParseAddr(b.HostIp)
		if !addr.IsValid() || addr.IsUnspecified() {
			addr = netip.MustParseAddr("127.0.0.1")
		}
		if err == nil && !c.Published.IsValid() {
			c.Published = netip.AddrPortFrom(addr, uint16(port))
		}
	}
	if c.At = c.Published; !c.At.IsValid() {
		c.At = c.Inside
	}
}

// InsideURL is URL for a client in a container of the same network.
func (c *Container) InsideURL(params ...string) string {
	inside := c.Server
	inside.At = c.Inside
	return inside.URL(params...)
}

// AwaitLogin waits until the server takes a login of the superuser.
func (c *Container) AwaitLogin() {
	c.e.t.Helper()
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := pgx.Connect(ctx, c.AdminURL(Database))
		if err == nil {
			_ = conn.Close(ctx)
			cancel()
			return
		}
		cancel()
		last = err
	}
	c.e.t.Fatalf("no login into container %s within %s: %v", c.Name, patience, last)
}

// Admin is a superuser's session in a database, closed with the test.
func (c *Container) Admin(database string) *pgx.Conn {
	c.e.t.Helper()
	return pgtest.Connect(c.e.t, c.AdminURL(database, "application_name=pgtest-admin"))
}

// State is the engine's word: running, paused, exited, restarting, created.
func (c *Container) State() string {
	c.e.t.Helper()
	return c.e.Run("inspect", "--format", "{{.State.Status}}", c.ID)
}

// Stop stops it; it keeps its data.
func (c *Container) Stop() { c.e.t.Helper(); c.e.Run("stop", c.ID); c.Look() }

// Start starts it again and waits until it takes logins.
func (c *Container) Start() { c.e.t.Helper(); c.e.Run("start", c.ID); c.Look(); c.AwaitLogin() }

// Pause freezes it until Unpause.
func (c *Container) Pause() { c.e.t.Helper(); c.e.Run("pause", c.ID) }

// Unpause lets it go on.
func (c *Container) Unpause() { c.e.t.Helper(); c.e.Run("unpause", c.ID) }

// Exec runs a program in it as root and is what it prints.
func (c *Container) Exec(args ...string) string {
	c.e.t.Helper()
	return c.e.Run(append([]string{"exec", c.ID}, args...)...)
}
