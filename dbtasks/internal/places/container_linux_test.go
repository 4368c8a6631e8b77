package places

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// callers are the three who may stand before a container.
func callers(t *testing.T, group string, test func(t *testing.T, make func(env ...string) caller, may bool)) {
	t.Run("root", func(t *testing.T) {
		test(t, func(env ...string) caller { return root(t, env...) }, true)
	})
	if group != "" {
		t.Run("user in group "+group, func(t *testing.T) {
			test(t, func(env ...string) caller { return user(t, []string{group}, env...) }, true)
		})
	}
	t.Run("user", func(t *testing.T) {
		test(t, func(env ...string) caller { return user(t, nil, env...) }, false)
	})
}

func TestAFullContainerIsFreedByWhoMayUseItsEngine(t *testing.T) {
	t.Parallel()
	for program, open := range map[string]func(*testing.T) *enginetest.Engine{
		"docker": func(t *testing.T) *enginetest.Engine { return enginetest.Docker(t, enginetest.DockerOptions{}) },
		"podman": func(t *testing.T) *enginetest.Engine { return enginetest.Podman(t) },
	} {
		group := ""
		if program == "docker" {
			group = "docker"
		}
		t.Run(program, func(t *testing.T) {
			e := open(t)
			callers(t, group, func(t *testing.T, make func(env ...string) caller, may bool) {
				c := e.Postgres(enginetest.PostgresOptions{})
				me := make(limited(c.Server))
				leak := me.fill(t, c.Server, 20)

				who := me.run(t, "db:who")
				if who.exit != 0 || !strings.Contains(who.out, fmt.Sprintf("pid %d", leak.PID)) || !strings.Contains(who.out, "shop") {
					t.Errorf("db:who does not name the leaking process %d: %s", leak.PID, who)
				}
				clean := me.run(t, "db:cleanup")
				if !may {
					if clean.exit != 1 || !strings.Contains(clean.out, "sudo ") && !strings.Contains(clean.out, "kill ") {
						t.Errorf("without the engine: %s", clean)
					}
					return
				}
				if clean.exit != 0 || !strings.Contains(clean.out, "all gone") {
					t.Fatalf("db:cleanup: %s", clean)
				}
				if n := sessions(t, c.Admin("postgres")); n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		})
	}
}

func TestASessionProvesTheServerInAContainerToEverybody(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	callers(t, "docker", func(t *testing.T, make func(env ...string) caller, _ bool) {
		c := e.Postgres(enginetest.PostgresOptions{})
		me := make(limited(c.Server))
		leak := me.leak(t, c.Server, 5)
		if who := me.run(t, "db:who"); who.exit != 0 || !strings.Contains(who.out, fmt.Sprintf("pid %d", leak.PID)) || strings.Contains(who.out, "dead") {
			t.Errorf("db:who: %s", who)
		}
		if clean := me.run(t, "db:cleanup"); clean.exit != 0 || !strings.Contains(clean.out, "Ended 5 ") {
			t.Errorf("db:cleanup: %s", clean)
		}
	})
}

func TestOfTwoContainersOnOnePortTheOneThatAnswersIsDealtWith(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	callers(t, "docker", func(t *testing.T, make func(env ...string) caller, may bool) {
		port := pgtest.FreePort(t)
		one := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("127.0.0.1:%d:5432", port)}})
		two := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("127.0.0.2:%d:5432", port)}})
		me := make(limited(one.Server))
		me.leak(t, one.Server, 4)
		me.leak(t, two.Server, 4)
		clean := me.run(t, "db:cleanup", "-force")
		if clean.exit != 0 || !strings.Contains(clean.out, "Ended 4 ") {
			t.Errorf("db:cleanup -force: %s", clean)
		}
		if a, b := sessions(t, one.Admin("postgres")), sessions(t, two.Admin("postgres")); a != 0 || b != 4 {
			t.Errorf("%d and %d sessions are left, want 0 and 4", a, b)
		}
		before := two.PID
		again := me.run(t, "dev:recover", "-restart=always", "-start=false")
		if one.Look(); may != (again.exit == 0) || may && !strings.Contains(again.out, one.Name) {
			t.Errorf("dev:recover: %s", again)
		}
		if two.Look(); two.PID != before {
			t.Errorf("the other container was restarted: %s", again)
		}
	})
}

func TestHoweverAContainerIsReached(t *testing.T) {
	t.Parallel()
	ways := map[string]func(t *testing.T) *enginetest.Container{
		"host network": func(t *testing.T) *enginetest.Container {
			return enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{HostNetwork: true})
		},
		"all addresses": func(t *testing.T) *enginetest.Container {
			return enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("%d:5432", pgtest.FreePort(t))}})
		},
		"its own address": func(t *testing.T) *enginetest.Container {
			return enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{Publish: []string{}})
		},
		"a bridge with a name of its own": func(t *testing.T) *enginetest.Container {
			e := enginetest.Docker(t, enginetest.DockerOptions{})
			e.Network("backend", "shopnet0")
			return e.Postgres(enginetest.PostgresOptions{Publish: []string{}, Network: "backend"})
		},
		"limited memory": func(t *testing.T) *enginetest.Container {
			return enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{Memory: "256m"})
		},
		"a superuser of another name, a password for local logins, a cluster's name": func(t *testing.T) *enginetest.Container {
			return enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{LocalPassword: true, Superuser: "boss", Settings: []string{"cluster_name=17/main"}})
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			callers(t, "docker", func(t *testing.T, make func(env ...string) caller, may bool) {
				c := way(t)
				rescued(t, c, make(limited(c.Server)), may)
			})
		})
	}
}

// rescued wants a full server in a container to be freed and restarted by who
// may use its engine, and its holders to be named to everybody; who may not use
// it touches nothing, and is told what helps.
func rescued(t *testing.T, c *enginetest.Container, me caller, may bool) {
	t.Helper()
	leak := me.fill(t, c.Server, 20)
	if who := me.run(t, "db:who"); who.exit != 0 || !strings.Contains(who.out, fmt.Sprintf("pid %d", leak.PID)) {
		t.Errorf("db:who does not name the leaking process %d: %s", leak.PID, who)
	}
	clean := me.run(t, "db:cleanup")
	if !may {
		if clean.exit == 0 || !strings.Contains(clean.out, "Next:") {
			t.Errorf("db:cleanup without the engine: %s", clean)
		}
		return
	}
	if clean.exit != 0 || !strings.Contains(clean.out, "all gone") {
		t.Errorf("db:cleanup: %s", clean)
	}
	if c.At == c.Inside {
		return // the engine may give it another address after a restart
	}
	before := c.PID
	if r := me.run(t, "dev:recover", "-restart=always", "-start=false"); r.exit != 0 {
		t.Errorf("dev:recover: %s", r)
	}
	if c.Look(); c.PID == before {
		t.Error("the container was not restarted")
	}
}

func TestWithoutDockersProxyTheDaemonListens(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{NoProxy: true})
	callers(t, "docker", func(t *testing.T, make func(env ...string) caller, may bool) {
		c := e.Postgres(enginetest.PostgresOptions{})
		rescued(t, c, make(limited(c.Server)), may)
	})
}

func TestAContainerThatDoesNotRunIsNamedWithWhatHelps(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	callers(t, "docker", func(t *testing.T, make func(env ...string) caller, may bool) {
		c := e.Postgres(enginetest.PostgresOptions{})
		me := make(limited(c.Server))
		says := func(state, what string) {
			t.Helper()
			var r outcome
			defer func() {
				if t.Failed() {
					t.Logf("%s: %s", state, r)
				}
			}()
			// A busy engine may answer too late for a run, which then says no more than it knows.
			pgtest.Eventually(t, 30*time.Second, "it is said that the container is "+state, func() bool {
				r = me.run(t, "db:test")
				return r.exit == 1 && may == strings.Contains(r.out, what) && strings.Contains(r.out, "Next:")
			})
		}
		c.Pause()
		says("paused", "docker unpause "+c.Name)
		c.Unpause()
		c.Stop()
		says("stopped", "docker start "+c.Name)
		if !may {
			return
		}
		loop := e.Postgres(enginetest.PostgresOptions{Restart: "always", NoWait: true, Settings: []string{"no_such_setting=1"}})
		me = me.with(t, limited(loop.Server))
		pgtest.Eventually(t, 20*time.Second, "it is said that it restarts again and again", func() bool {
			r := me.run(t, "db:test")
			return r.exit == 1 && strings.Contains(r.out, "docker logs") && strings.Contains(r.out, loop.Name)
		})
	})
}

func TestAServerThatStartsBehindAForwarderIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	c := e.Postgres(enginetest.PostgresOptions{NoWait: true})
	me := user(t, []string{"docker"}, limited(c.Server))
	if r := me.run(t, "db:test", "-wait=60s"); r.exit != 0 {
		t.Errorf("db:test -wait=60s right after docker run: %s", r)
	}
}

func TestAClientInAContainerIsNamed(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	e.Network("shop_default", "")
	compose := func(service string) enginetest.Compose { return enginetest.Compose{Project: "shop", Service: service} }
	c := e.Postgres(enginetest.PostgresOptions{Network: "shop_default", Compose: compose("db")})
	client := e.Client(enginetest.ClientOptions{URL: c.InsideURL("application_name=shop"), Sessions: 3, Network: "shop_default", Compose: compose("web")})
	callers(t, "docker", func(t *testing.T, make func(env ...string) caller, may bool) {
		who := make(limited(c.Server)).run(t, "db:who")
		named := strings.Contains(who.out, client.Name) && strings.Contains(who.out, "service web of Compose project shop")
		if who.exit != 0 || named != may || !may && !strings.Contains(who.out, "process unknown") || strings.Contains(who.out, "dead") {
			t.Errorf("db:who, and container %s: %s", client.Name, who)
		}
	})
}

func TestRecoveryBringsBackAContainerThatDoesNotRun(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	c := e.Postgres(enginetest.PostgresOptions{})
	me := user(t, []string{"docker"}, limited(c.Server))
	held := pgtest.Connect(t, c.AdminURL("postgres"))
	c.Pause()
	if r := me.run(t, "dev:recover", "-start=false"); r.exit != 0 || !strings.Contains(r.out, "docker unpause "+c.Name) {
		t.Errorf("paused: %s", r)
	}
	if err := held.Ping(t.Context()); err != nil {
		t.Errorf("a session did not survive: %v", err)
	}
	c.Stop()
	if r := me.run(t, "dev:recover", "-start=false"); r.exit != 0 || !strings.Contains(r.out, "docker start "+c.Name) {
		t.Errorf("stopped: %s", r)
	}
}
