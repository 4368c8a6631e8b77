package engine_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestEveryContainerIsListedAsItIs(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		port := pgtest.FreePort(t)
		dir := t.TempDir()
		shop := e.Postgres(enginetest.PostgresOptions{
			Name: "list-db-1", Publish: []string{fmt.Sprintf("127.0.0.1:%d:5432", port)}, Memory: "256m", NoServer: true,
			Compose: enginetest.Compose{Project: "list", Service: "db", Dir: dir, Files: []string{dir + "/compose.yaml", dir + "/compose.override.yaml"}},
		})
		all := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("%d:5432", pgtest.FreePort(t))}, NoServer: true})
		host := e.Postgres(enginetest.PostgresOptions{HostNetwork: true, NoServer: true})
		inside := e.Postgres(enginetest.PostgresOptions{Publish: []string{}, NoServer: true})
		users := map[string]*enginetest.Account{"root": nil}
		if e.Program == "docker" {
			users["a user of the group"] = enginetest.User(t, "docker")
		}
		for who, user := range users {
			a := of(e.Program, listAs(t, user))
			if a.Words != "" || (a.Endpoint == "unix:///var/run/docker.sock") != (e.Program == "docker") {
				t.Errorf("as %s: %s %q", who, a.Endpoint, a.Words)
			}
			c, _ := a.container(shop.ID)
			if c.Name != "list-db-1" || c.State != engine.Running || c.PID != shop.PID || c.Project != "list" || c.Service != "db" || c.Dir != dir ||
				!slices.Equal(c.Files, []string{dir + "/compose.yaml", dir + "/compose.override.yaml"}) || c.MemoryLimit != 256<<20 || c.Started.IsZero() ||
				!slices.Equal(c.Bindings, []engine.Binding{{Host: shop.Published, Port: 5432}}) || !c.HasAddr(shop.Inside.Addr()) || c.HostNetwork || c.HostPIDs {
				t.Errorf("as %s: %+v", who, c)
			}
			if !strings.HasSuffix(c.Image, "postgres:test") || !strings.HasPrefix(c.String(), "container list-db-1 (") || !strings.HasSuffix(c.String(), "service db of Compose project list)") {
				t.Errorf("as %s: %s", who, c)
			}
			c, _ = a.container(all.ID)
			for _, addr := range []string{"127.0.0.1", "127.0.0.9"} {
				if c.PortAt(netip.AddrPortFrom(netip.MustParseAddr(addr), all.Published.Port())) != 5432 {
					t.Errorf("as %s: %+v at %s", who, c.Bindings, addr)
				}
			}
			if c, _ = a.container(host.ID); !c.HostNetwork || len(c.Bindings)+len(c.Networks) != 0 || c.PID != host.PID {
				t.Errorf("as %s: %+v", who, c)
			}
			if c, _ = a.container(inside.ID); len(c.Bindings) != 0 || !c.HasAddr(inside.Inside.Addr()) {
				t.Errorf("as %s: %+v", who, c)
			}
		}
	})
}

func TestAStoppedContainerIsListedWithWhatItWouldPublish(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		c := e.Postgres(enginetest.PostgresOptions{})
		at := c.At
		c.Stop()
		now := look(t, c)
		if now.State != engine.Exited || now.PID != 0 || len(now.Networks) != 0 || now.Line("start") != e.Program+" start "+c.Name {
			t.Errorf("%+v %s", now, now.Line("start"))
		}
		if got := engine.Publishing([]engine.Container{now}, at); len(got) != 1 {
			t.Errorf("%+v publishes %v", now, got)
		}
		if err := now.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Look()
		if again := look(t, c); again.State != engine.Running || again.PortAt(c.At) != 5432 || !slices.Equal(again.Bindings, now.Bindings) {
			t.Errorf("%+v", again)
		}
	})
}

func TestOfTwoContainersOnOnePortTheOneAtTheAddressIsMeant(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		port := pgtest.FreePort(t)
		at := func(addr string) *enginetest.Container {
			return e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("%s:%d:5432", addr, port)}, NoServer: true})
		}
		one, two := at("127.0.0.1"), at("127.0.0.2")
		list := []engine.Container{look(t, one), look(t, two)}
		for addr, want := range map[netip.AddrPort]string{one.Published: one.ID, two.Published: two.ID, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), uint16(port)): ""} {
			got := ""
			for _, c := range engine.Publishing(list, addr) {
				got += c.ID
			}
			if got != want {
				t.Errorf("%s: %q, want %q", addr, got, want)
			}
		}
	})
}

func TestACrashLoopIsOneAndAServerThatRunsIsNone(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		loop := e.Postgres(enginetest.PostgresOptions{Restart: "always", Settings: []string{"nonsense=1"}, NoWait: true})
		pgtest.Eventually(t, 20*time.Second, "it is seen to loop", func() bool { return look(t, loop).Looping() })
		if text, err := e.Command("logs", "--tail", "20", loop.ID).CombinedOutput(); err != nil || !strings.Contains(string(text), `unrecognized configuration parameter "nonsense"`) {
			t.Errorf("%v: %s", err, text)
		}
		if c := look(t, e.Postgres(enginetest.PostgresOptions{})); c.Looping() {
			t.Errorf("%+v", c)
		}
	})
}

func TestWhyAnEngineSaysNothingIsSaidInItsOwnWords(t *testing.T) {
	t.Parallel()
	enginetest.Docker(t, enginetest.DockerOptions{})
	out, in := enginetest.User(t), enginetest.User(t, "docker")
	if a := of("docker", listAs(t, out)); !a.Denied || !strings.Contains(a.Words, "permission denied while trying to connect to the Docker daemon socket") || len(a.Containers) > 0 {
		t.Errorf("%+v", a)
	}
	if a := of("docker", listAs(t, in, "DOCKER_HOST=unix:///run/nothing.sock")); !a.Down || !strings.Contains(a.Words, "Cannot connect to the Docker daemon at unix:///run/nothing.sock") {
		t.Errorf("%+v", a)
	}
	for _, host := range []string{"ssh://me@192.0.2.2", "tcp://192.0.2.2:2375", "tcp://127.0.0.1:2375"} {
		if a := of("docker", listAs(t, in, "DOCKER_HOST="+host)); !a.Remote || !strings.Contains(a.Words, strings.Replace(host, "me@", "", 1)) {
			t.Errorf("%s: %+v", host, a)
		}
	}
	// A context, which the user has chosen once.
	for _, args := range [][]string{{"context", "create", "prod", "--docker", "host=ssh://192.0.2.2"}, {"context", "use", "prod"}} {
		if out, err := in.Command(nil, "docker", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if a := of("docker", listAs(t, in)); !a.Remote {
		t.Errorf("%+v", a)
	}
	if a := of("docker", listAs(t, in, "DOCKER_CONTEXT=default")); a.Words != "" {
		t.Errorf("%+v", a)
	}
	if a := of("podman", listAs(t, nil, "CONTAINER_HOST=ssh://root@192.0.2.2/run/podman/podman.sock")); !a.Remote {
		t.Errorf("%+v", a)
	}
}

func TestASocketThatATunnelHoldsIsAnotherMachines(t *testing.T) {
	t.Parallel()
	enginetest.Docker(t, enginetest.DockerOptions{})
	socat := t.TempDir() + "/socat" // this executable under that name, as the kernel sees it
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("cp", self, socat).Run(); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/docker.sock"
	cmd := exec.Command(socat, path)
	cmd.Env = append(os.Environ(), "DBTASKS_ROLE=unix-tunnel")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	pgtest.Eventually(t, 5*time.Second, "it listens", func() bool { _, err := os.Stat(path); return err == nil })
	if a := of("docker", listAs(t, nil, "DOCKER_HOST=unix://"+path)); !a.Remote || !strings.Contains(a.Words, "socat") {
		t.Errorf("%+v", a)
	}
}

func TestAnEngineThatHangsIsNotWaitedForLong(t *testing.T) {
	e := enginetest.Docker(t, enginetest.DockerOptions{NoProxy: true}) // for this test alone
	text, err := os.ReadFile("/run/docker.pid")
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	list := engine.List(t.Context())
	took := time.Since(began)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if a := of("docker", answersOf(list)); !strings.Contains(a.Words, "does not answer") || took > 30*time.Second {
		t.Errorf("after %s: %+v", took, a)
	}
	e.Run("version")
}

func TestAContainerOfBothEnginesIsListedOnce(t *testing.T) {
	t.Parallel()
	enginetest.Docker(t, enginetest.DockerOptions{}) // its program
	c := enginetest.Podman(t).Postgres(enginetest.PostgresOptions{NoServer: true})
	seen := 0
	for _, a := range listAs(t, nil, "DOCKER_HOST=unix://"+enginetest.PodmanSocket) {
		if found, ok := a.container(c.ID); ok {
			seen++
			if found.State != engine.Running || found.PID != c.PID || found.PortAt(c.At) != 5432 {
				t.Errorf("%+v", found)
			}
		}
	}
	if seen != 1 {
		t.Errorf("listed %d times", seen)
	}
}
