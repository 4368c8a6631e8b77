package engine_test

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// clientsOf are the ends that a server sees its clients at, with their
// application_name.
func clientsOf(t *testing.T, c *enginetest.Container) map[netip.AddrPort]string {
	t.Helper()
	rows, err := c.Admin("postgres").Query(t.Context(), "SELECT host(client_addr), client_port, application_name FROM pg_stat_activity WHERE client_port > 0")
	if err != nil {
		t.Fatal(err)
	}
	ends := map[netip.AddrPort]string{}
	for rows.Next() {
		var addr, name string
		var port uint16
		if err := rows.Scan(&addr, &port, &name); err != nil {
			t.Fatal(err)
		}
		ends[netip.AddrPortFrom(netip.MustParseAddr(addr), port)] = name
	}
	return ends
}

func TestAClientWhosePortTheKernelKeepsIsTold(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *enginetest.Engine{
		"docker without its proxy": func(t *testing.T) *enginetest.Engine {
			return enginetest.Docker(t, enginetest.DockerOptions{NoProxy: true})
		},
		"podman":                func(t *testing.T) *enginetest.Engine { return enginetest.Podman(t) },
		"docker with its proxy": func(t *testing.T) *enginetest.Engine { return enginetest.Docker(t, enginetest.DockerOptions{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t).Postgres(enginetest.PostgresOptions{})
			truth := map[string]int{"pgtest-admin": os.Getpid()}
			for i := range 3 {
				name := fmt.Sprintf("leak%d", i)
				truth[name] = pgtest.StartLeak(t, pgtest.LeakOptions{URL: c.URL("application_name=" + name), Sessions: 4}).PID
			}
			ends := clientsOf(t, c)
			var seen []netip.AddrPort
			for end := range ends {
				seen = append(seen, end)
			}
			sockets, err := hostops.ReadSockets(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := sockets.KeptPorts([]netip.AddrPort{c.Published}, seen)
			want := len(ends)
			if name == "docker with its proxy" {
				want = 0 // its own sockets are those ends
			}
			if len(found) != want || len(ends) != 13 {
				t.Errorf("%d of %d clients are told, want %d", len(found), len(ends), want)
			}
			for end, pids := range found {
				if len(pids) != 1 || pids[0] != truth[ends[end]] {
					t.Errorf("%s is told to be process %d, and is %d", end, pids, truth[ends[end]])
				}
			}
		})
	}
}
