// Package containerrestart_test restarts servers in containers of real engines,
// on a machine of their own.
package containerrestart_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func both(t *testing.T, test func(t *testing.T, e *enginetest.Engine)) {
	t.Run("docker", func(t *testing.T) { t.Parallel(); test(t, enginetest.Docker(t, enginetest.DockerOptions{})) })
	t.Run("podman", func(t *testing.T) { t.Parallel(); test(t, enginetest.Podman(t)) })
}

// look is a container as its engine tells it.
func look(t *testing.T, c *enginetest.Container) engine.Container {
	t.Helper()
	for _, e := range engine.List(t.Context()) {
		for _, found := range e.Containers {
			if found.ID == c.ID {
				return found
			}
		}
	}
	t.Fatalf("container %s is not listed", c.Name)
	return engine.Container{}
}

func TestAContainerIsRestartedAndSeenToBe(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		c := e.Postgres(enginetest.PostgresOptions{Memory: "256m"})
		before := look(t, c)
		subject := pgserver.Subject{Container: &before}
		if n := subject.MemoryLimit(); n != 256<<20 {
			t.Errorf("its limit is %d", n)
		}
		plan, err := pgserver.PlanRestart(subject, "")
		if err != nil || plan.Typed != before.Line("restart", "-t", "60") || plan.Describe() != plan.Typed {
			t.Fatalf("%v (%s), %v", plan, plan.Typed, err)
		}
		if err := plan.Apply(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		c.Look()
		c.AwaitLogin()
		if after := look(t, c); after.Started.Equal(before.Started) || after.State != engine.Running {
			t.Errorf("started %s, then %s", before.Started, after.Started)
		}
		// Its process is enough to tell it by.
		seen, _ := pgserver.SubjectOf(look(t, c).PID)
		if plan, err := pgserver.PlanRestart(seen, ""); err != nil || plan.Way != pgserver.WayContainer || plan.Run.Argv[len(plan.Run.Argv)-1] != c.ID {
			t.Errorf("by its process: %v, %v", plan, err)
		}
		same, err := pgserver.PlanRestart(pgserver.Subject{Container: &before}, "true")
		if err != nil {
			t.Fatal(err)
		}
		var failed *pgserver.RestartError
		if err := same.Apply(t.Context(), nil); !errors.As(err, &failed) || failed.State != pgserver.StateSame {
			t.Errorf("a command that does nothing: %v", err)
		}
	})
}

// TestAnUndoInAContainerThatDoesNotStart breaks the settings as an ALTER SYSTEM
// that the machine can't bear does.
func TestAnUndoInAContainerThatDoesNotStart(t *testing.T) {
	both(t, func(t *testing.T, e *enginetest.Engine) {
		c := e.Postgres(enginetest.PostgresOptions{})
		admin := c.Admin("postgres")
		var data string
		if err := admin.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
			t.Fatal(err)
		}
		before := look(t, c)
		subject := pgserver.Subject{Container: &before}
		auto, err := pgserver.ReadAutoConf(subject, data)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgserver.PlanRestart(subject, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"ALTER SYSTEM SET max_connections = 200", "ALTER SYSTEM SET huge_pages = on"} {
			if _, err := admin.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		err = plan.Apply(t.Context(), nil)
		var failed *pgserver.RestartError
		if !errors.As(err, &failed) || failed.State != pgserver.StateDown || failed.Fatal == "" || failed.Back != before.Line("start") {
			t.Fatalf("%v, %+v", err, failed)
		}
		if err := auto.Restore(); err != nil {
			t.Fatal(err)
		}
		if err := plan.Resume(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		c.Look()
		c.AwaitLogin()
		admin = c.Admin("postgres")
		var n string
		if err := admin.QueryRow(t.Context(), "SHOW max_connections").Scan(&n); err != nil || n != strconv.Itoa(20) {
			t.Errorf("max_connections is %s, %v", n, err)
		}
		// Its file is the server's own again.
		if _, err := admin.Exec(t.Context(), "ALTER SYSTEM SET work_mem = '5MB'"); err != nil {
			t.Error(err)
		}
	})
}
