package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// used is what a user did with a container.
type used struct {
	Seen, After engine.Container
	Postmaster  engine.Postmaster
	Whoami      string
	Errors      []string
}

// Uses the container of the id in its argument as a procedure would: finds it,
// its server and its account, restarts it, looks again.
func init() {
	reexec.Register("engine-use", func(args []string) int {
		ctx := context.Background()
		var u used
		note := func(err error) {
			if err != nil {
				u.Errors = append(u.Errors, err.Error())
			}
		}
		for _, e := range engine.List(ctx) {
			for _, c := range e.Containers {
				if c.ID != args[0] {
					continue
				}
				var err error
				u.Seen = c
				u.Postmaster, err = c.Postmaster(ctx)
				note(err)
				u.Whoami, err = c.Exec(ctx, engine.ExecOptions{User: u.Postmaster.User, Args: []string{"id", "-un"}})
				note(err)
				plan, err := pgserver.PlanRestart(pgserver.Subject{Container: &c}, "")
				note(err)
				note(plan.Apply(ctx, nil))
				u.After, err = c.Again(ctx)
				note(err)
			}
		}
		_ = json.NewEncoder(os.Stdout).Encode(u)
		return 0
	})
}

func TestWhoeverMayUseTheEngineMayDoAllOfIt(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) (*enginetest.Engine, *enginetest.Account){
		"root with docker": func(t *testing.T) (*enginetest.Engine, *enginetest.Account) {
			return enginetest.Docker(t, enginetest.DockerOptions{}), nil
		},
		"a user of group docker": func(t *testing.T) (*enginetest.Engine, *enginetest.Account) {
			return enginetest.Docker(t, enginetest.DockerOptions{}), enginetest.User(t, "docker")
		},
		"root with podman": func(t *testing.T) (*enginetest.Engine, *enginetest.Account) { return enginetest.Podman(t), nil },
		"a user with rootless podman": func(t *testing.T) (*enginetest.Engine, *enginetest.Account) {
			user := enginetest.User(t)
			return enginetest.RootlessPodman(t, user), user
		},
		"a user with rootless docker": func(t *testing.T) (*enginetest.Engine, *enginetest.Account) {
			user := enginetest.User(t)
			return enginetest.RootlessDocker(t, user), user
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, user := start(t)
			c := e.Postgres(enginetest.PostgresOptions{})
			cmd := reexec.Command(t.Context(), "engine-use", c.ID)
			if user != nil {
				cmd = user.As(cmd)
			}
			out, err := cmd.Output()
			var u used
			if err == nil {
				err = json.Unmarshal(out, &u)
			}
			if err != nil || len(u.Errors) > 0 {
				t.Fatalf("%v, %q", err, u.Errors)
			}
			if u.Seen.PortAt(c.Published) != 5432 || u.Seen.PID != c.PID || u.Postmaster.PID != 1 || u.Postmaster.User != "999:999" || u.Whoami != "postgres" {
				t.Errorf("%+v", u)
			}
			log, err := e.Command("logs", "--tail", "30", c.ID).CombinedOutput()
			if err != nil || !u.After.Started.After(u.Seen.Started) || u.After.State != engine.Running || !strings.Contains(string(log), "database system is shut down") {
				t.Errorf("after the restart: %+v, %v\n%s", u.After, err, log)
			}
			c.Look()
			c.AwaitLogin()
		})
	}
}

func TestALookLeavesNothingBehindWherePodmanIsNotUsed(t *testing.T) {
	t.Parallel()
	enginetest.Podman(t) // its program
	user := enginetest.User(t)
	if a := of("podman", listAs(t, user)); a.Program != "" {
		t.Errorf("%+v", a)
	}
	if _, err := os.Stat(user.Home + "/.local"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder is made: %v", err)
	}
	table, err := hostops.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.All() {
		if p.UID == user.UID {
			t.Errorf("%s is left", p)
		}
	}
}

func TestAnotherUsersContainersAreNotListed(t *testing.T) {
	t.Parallel()
	owner, other := enginetest.User(t), enginetest.User(t)
	c := enginetest.RootlessPodman(t, owner).Postgres(enginetest.PostgresOptions{NoServer: true})
	for who, user := range map[string]*enginetest.Account{"its owner": owner, "another": other, "root": nil} {
		a := of("podman", listAs(t, user))
		if _, ok := a.container(c.ID); ok != (user == owner) || a.Words != "" {
			t.Errorf("as %s: %+v", who, a)
		}
	}
}
