package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/machine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// place is what the role below prints of a container's main process and of the
// process that is inner there.
type place struct {
	Place     hostops.Place
	Contained bool
	HostPIDs  []int
}

func init() {
	reexec.Register("place", func(args []string) int {
		pid, _ := strconv.Atoi(args[0])
		inner, _ := strconv.Atoi(args[1])
		here, err := hostops.Here()
		var p place
		if err == nil {
			p.Place, err = hostops.PlaceOf(pid)
		}
		if err == nil {
			p.Contained = p.Place.Contained(here)
			p.HostPIDs = machine.HostPIDs(context.Background(), inner)
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
			c, other := e.Postgres(enginetest.PostgresOptions{}), e.Postgres(enginetest.PostgresOptions{})
			var inner int
			if err := c.Admin("postgres").QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&inner); err != nil {
				t.Fatal(err)
			}
			if first := machine.HostPIDs(t.Context(), 1); !slices.Contains(first, c.PID) || !slices.Contains(first, other.PID) {
				t.Errorf("the servers that are process 1 are %d, want %d and %d among them", first, c.PID, other.PID)
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
				var ours []int // other containers' servers have backends of this number, too
				for _, pid := range p.HostPIDs {
					if backend, err := hostops.Find(pid); err == nil && backend.PPID == c.PID {
						ours = append(ours, pid)
						seen[pid] = true
					}
				}
				if len(ours) != 1 {
					t.Errorf("as %s: backend %d of container %d is %d of %d, want one", who, inner, c.PID, ours, p.HostPIDs)
				}
			}
			if len(seen) != 1 {
				t.Errorf("root and the user find %v", seen)
			}
			for _, pid := range machine.HostPIDs(t.Context(), 100000) {
				if p, err := hostops.Find(pid); err == nil && p.PPID == c.PID {
					t.Errorf("%s is taken for a backend that there is not", p)
				}
			}
		})
	}
}
