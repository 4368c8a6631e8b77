package enginetest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func both(t *testing.T, test func(t *testing.T, e *enginetest.Engine)) {
	t.Run("docker", func(t *testing.T) { t.Parallel(); test(t, enginetest.Docker(t, enginetest.DockerOptions{})) })
	t.Run("podman", func(t *testing.T) { t.Parallel(); test(t, enginetest.Podman(t)) })
}

func TestAServerIsReachedWhereItIsPublished(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *enginetest.Engine) {
		port := pgtest.FreePort(t)
		one := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("127.0.0.1:%d:5432", port)}})
		two := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("127.0.0.2:%d:5432", port)}})
		inside := e.Postgres(enginetest.PostgresOptions{Publish: []string{}})
		host := e.Postgres(enginetest.PostgresOptions{HostNetwork: true})
		ids := map[string]bool{}
		for _, c := range []*enginetest.Container{one, two, inside, host} {
			var id, role string
			if err := pgtest.Connect(t, c.AdminURL("postgres")).QueryRow(t.Context(), "SELECT system_identifier::text, session_user FROM pg_control_system()").Scan(&id, &role); err != nil || role != "postgres" {
				t.Errorf("%s: %v", c.At, err)
			}
			ids[id] = true
			if err := pgtest.Connect(t, c.URL()).QueryRow(t.Context(), "SELECT rolsuper::text FROM pg_roles WHERE rolname = session_user").Scan(&role); err != nil || role != "false" {
				t.Errorf("%s: %v", c.At, err)
			}
			if title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.PID)); err != nil || !strings.HasPrefix(string(title), "postgres\x00") {
				t.Errorf("main process %d: %q, %v", c.PID, title, err)
			}
		}
		if len(ids) != 4 {
			t.Errorf("%d servers", len(ids))
		}
	})
}

func TestAnOrdinaryUserHasPodmanWithoutRoot(t *testing.T) {
	t.Parallel()
	user := enginetest.User(t)
	c := enginetest.RootlessPodman(t, user).Postgres(enginetest.PostgresOptions{})
	pgtest.Connect(t, c.URL())
	p, err := hostops.Find(c.PID)
	if err != nil || p.UID == 0 || p.UID == user.UID || p.Name != "postgres" {
		t.Errorf("%s of account %d, %v", p, p.UID, err)
	}
	sockets, err := hostops.ReadSockets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range sockets.Listeners() {
		if l.Addr == c.Published && l.UID != user.UID {
			t.Errorf("%+v", l)
		}
	}
}

func TestASettingOfAContainerIsWhatTheServerHas(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *enginetest.Engine) {
		dir := t.TempDir()
		c := e.Postgres(enginetest.PostgresOptions{
			Name: "shop-db-1", Compose: enginetest.Compose{Project: "shop", Service: "db", Dir: dir, Files: []string{dir + "/compose.yaml"}},
			Memory: "300m", MaxConnections: 30, Settings: []string{"cluster_name=shop"}, LocalPassword: true, Superuser: "boss", Image: enginetest.ImageNoAccount,
		})
		var slots, cluster string
		if err := c.Admin("postgres").QueryRow(t.Context(), "SELECT current_setting('max_connections'), current_setting('cluster_name')").Scan(&slots, &cluster); err != nil || slots != "30" || cluster != "shop" {
			t.Error(slots, cluster, err)
		}
		said := e.Run("inspect", "--format", `{{.Name}} {{.HostConfig.Memory}} {{index .Config.Labels "com.docker.compose.service"}} {{index .Config.Labels "com.docker.compose.project.working_dir"}}`, c.ID)
		if said != "/shop-db-1 314572800 db "+dir && said != "shop-db-1 314572800 db "+dir {
			t.Error(said)
		}
		if out, err := e.Command("exec", "-u", "999", c.ID, "psql", "-w", "-U", "boss", "-d", "postgres", "-c", "SELECT 1").CombinedOutput(); err == nil || !strings.Contains(string(out), "no password supplied") {
			t.Errorf("%v %s", err, out)
		}
		if out, err := e.Command("exec", "-u", "postgres", c.ID, "true").CombinedOutput(); err == nil || !strings.Contains(string(out), "postgres") {
			t.Errorf("%v %s", err, out)
		}
	})
}

func TestAContainerIsStoppedPausedAndCrashes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *enginetest.Engine) {
		c := e.Postgres(enginetest.PostgresOptions{})
		c.Pause()
		if c.State() != "paused" {
			t.Error(c.State())
		}
		c.Unpause()
		c.Stop()
		if c.State() != "exited" || c.PID != 0 {
			t.Error(c.State(), c.PID)
		}
		c.Start()
		if c.State() != "running" || c.PID == 0 {
			t.Error(c.State(), c.PID)
		}
		loop := e.Postgres(enginetest.PostgresOptions{Restart: "always", Settings: []string{"nonsense=1"}, NoWait: true})
		pgtest.Eventually(t, 20*time.Second, "it has crashed twice", func() bool {
			return e.Run("inspect", "--format", "{{.RestartCount}}", loop.ID) > "1"
		})
		if log, err := e.Command("logs", loop.ID).CombinedOutput(); err != nil || !strings.Contains(string(log), `unrecognized configuration parameter "nonsense"`) {
			t.Errorf("%v %s", err, log)
		}
	})
}

func TestAClientInAContainerHoldsSessions(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, e *enginetest.Engine) {
		e.Network("shop_default", "shop0")
		server := e.Postgres(enginetest.PostgresOptions{Network: "shop_default"})
		client := e.Client(enginetest.ClientOptions{Name: "shop-app-1", URL: server.InsideURL("application_name=app"), Sessions: 4, Network: "shop_default", Compose: enginetest.Compose{Project: "shop", Service: "app"}})
		if n := pgtest.Count(t, server.Admin("postgres"), "host(client_addr) = $1", client.Inside.Addr().String()); n != 4 {
			t.Errorf("%d sessions from %s", n, client.Inside.Addr())
		}
	})
}

func TestWithoutTheProxyDockerItselfListens(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{NoProxy: true})
	c := e.Postgres(enginetest.PostgresOptions{})
	sockets, err := hostops.ReadSockets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range sockets.Listeners() {
		if l.Addr == c.Published {
			if p, err := hostops.Find(l.PID); err != nil || p.Name != "dockerd" {
				t.Errorf("%s listens (%v)", p, err)
			}
			return
		}
	}
	t.Errorf("nothing listens on %s", c.Published)
}

func TestAUserOfTheGroupMayUseDockerAndAnotherMayNot(t *testing.T) {
	t.Parallel()
	enginetest.Docker(t, enginetest.DockerOptions{})
	if out, err := enginetest.User(t, "docker").Command(nil, "docker", "ps", "-q").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := enginetest.User(t).Command(nil, "docker", "ps", "-q").CombinedOutput(); err == nil || !strings.Contains(string(out), "permission denied") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheOtherMachineIsReachedAndNotSeen(t *testing.T) {
	t.Parallel()
	o := enginetest.Other(t)
	s := o.Postgres(30, map[string]string{"cluster_name": "production"})
	admin := pgtest.Connect(t, s.AdminURL("postgres"))
	var backend int
	var slots, from string
	if err := admin.QueryRow(t.Context(), "SELECT pg_backend_pid(), current_setting('max_connections'), host(inet_client_addr())").Scan(&backend, &slots, &from); err != nil || slots != "30" || from != enginetest.ThisAddr.String() {
		t.Error(slots, from, err)
	}
	table, err := hostops.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.All() {
		if strings.Contains(p.Title(), "production") {
			t.Errorf("%s is seen", p)
		}
	}
	o.Connect(s.URL(), 3)
	if n := pgtest.Count(t, admin, "datname = $1 AND host(client_addr) = $2", enginetest.Database, enginetest.OtherAddr.String()); n != 3 {
		t.Errorf("%d sessions", n)
	}
	forwarded := s
	forwarded.At = o.Forward(s.At)
	pgtest.Connect(t, forwarded.URL())
}
