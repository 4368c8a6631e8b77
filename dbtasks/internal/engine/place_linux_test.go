package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// place is what the role below prints of a container's main process and of the
// process that is inner there.
type place struct {
	Place     hostops.Place
	Contained bool
	HostPID   int
}

func init() {
	reexec.Register("place", func(args []string) int {
		pid, _ := strconv.Atoi(args[0])
		inner, _ := strconv.Atoi(args[1])
		here, err := hostops.PlaceOf(os.Getpid())
		var p place
		if err == nil {
			p.Place, err = hostops.PlaceOf(pid)
		}
		if err == nil {
			p.Contained = p.Place.Contained(here)
			p.HostPID, err = hostops.HostPID(context.Background(), pid, inner)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		_ = json.NewEncoder(os.Stdout).Encode(p)
		return 0
	})
}

func TestAContainersProcessesAreFoundByAnyUser(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *enginetest.Engine{
		"docker": func(t *testing.T) *enginetest.Engine { return enginetest.Docker(t, enginetest.DockerOptions{}) },
		"podman": func(t *testing.T) *enginetest.Engine { return enginetest.Podman(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			c, other := e.Postgres(enginetest.PostgresOptions{}), e.Postgres(enginetest.PostgresOptions{NoServer: true})
			var inner int
			if err := c.Admin("postgres").QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&inner); err != nil {
				t.Fatal(err)
			}
			for _, of := range []*enginetest.Container{c, other} { // each has a process 1
				if pid, err := hostops.HostPID(t.Context(), of.PID, 1); err != nil || pid != of.PID {
					t.Errorf("process 1 beside %d is %d, %v", of.PID, pid, err)
				}
			}
			role := func() []string { return []string{strconv.Itoa(c.PID), strconv.Itoa(inner)} }
			seen := map[int]bool{}
			for who, cmd := range map[string]interface{ Output() ([]byte, error) }{
				"root":   reexec.Command(t.Context(), "place", role()...),
				"a user": enginetest.User(t).As(reexec.Command(t.Context(), "place", role()...)),
			} {
				out, err := cmd.Output()
				var p place
				if err == nil {
					err = json.Unmarshal(out, &p)
				}
				if err != nil || !p.Contained || p.Place.Container != c.ID || p.Place.Engine != name || len(p.Place.PIDs) != 2 || p.Place.PIDs[1] != 1 {
					t.Errorf("as %s: %+v, %v", who, p, err)
				}
				if (p.Place.Mounts != 0) != (who == "root") {
					t.Errorf("as %s: namespaces %+v", who, p.Place)
				}
				backend, err := hostops.Find(p.HostPID)
				if err != nil || backend.PPID != c.PID {
					t.Errorf("as %s: backend %d is %v, child of %d (%v), want a child of %d", who, inner, backend, backend.PPID, err, c.PID)
				}
				seen[p.HostPID] = true
			}
			if len(seen) != 1 {
				t.Errorf("root and the user find %v", seen)
			}
			if pid, err := hostops.HostPID(t.Context(), c.PID, 100000); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%d, %v", pid, err)
			}
		})
	}
}
