package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// answer is engine.Engine as another user's process prints it.
type answer struct {
	Program, Endpoint, Words string
	Down, Denied, Remote     bool
	Containers               []engine.Container
}

func answersOf(list []engine.Engine) []answer {
	answers := []answer{}
	for _, e := range list {
		a := answer{Program: e.Program, Endpoint: e.Endpoint, Containers: e.Containers}
		if e.Err != nil {
			a.Words = e.Err.Error()
			a.Down, a.Denied, a.Remote = errors.Is(e.Err, engine.ErrDown), errors.Is(e.Err, engine.ErrDenied), errors.Is(e.Err, engine.ErrRemote)
		}
		answers = append(answers, a)
	}
	return answers
}

func init() {
	reexec.Register("engine-list", func([]string) int {
		_ = json.NewEncoder(os.Stdout).Encode(answersOf(engine.List(context.Background())))
		return 0
	})
}

// listAs is what List answers a user, nil is root, with further variables.
func listAs(t *testing.T, user *enginetest.Account, env ...string) []answer {
	t.Helper()
	cmd := reexec.Command(t.Context(), "engine-list")
	cmd.Env = append(cmd.Env, env...)
	if user != nil {
		cmd = user.As(cmd)
	}
	return decode(t, cmd)
}

func decode(t *testing.T, cmd *exec.Cmd) []answer {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var answers []answer
	if err == nil {
		err = json.Unmarshal(out, &answers)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func of(program string, answers []answer) answer {
	for _, a := range answers {
		if a.Program == program {
			return a
		}
	}
	return answer{}
}

func (a answer) container(id string) (engine.Container, bool) {
	i := slices.IndexFunc(a.Containers, func(c engine.Container) bool { return c.ID == id })
	if i < 0 {
		return engine.Container{}, false
	}
	return a.Containers[i], true
}

// both runs a test with each engine.
func both(t *testing.T, test func(t *testing.T, e *enginetest.Engine)) {
	t.Parallel()
	t.Run("docker", func(t *testing.T) { t.Parallel(); test(t, enginetest.Docker(t, enginetest.DockerOptions{})) })
	t.Run("podman", func(t *testing.T) { t.Parallel(); test(t, enginetest.Podman(t)) })
}

// look is a container as List tells it.
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

// Listens on a Unix socket for ever, as a tunnel to an engine elsewhere does.
func init() {
	reexec.Register("unix-tunnel", func(args []string) int {
		l, err := net.Listen("unix", args[0])
		if err != nil {
			return 1
		}
		defer l.Close()
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	})
}
