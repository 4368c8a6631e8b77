package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// Prints what Relayed tells: by client port at the server, the client's pid.
func init() {
	reexec.Register("relayed", func(args []string) int {
		published, inside := netip.MustParseAddrPort(args[0]), netip.MustParseAddrPort(args[1])
		ctx := context.Background()
		flows, err := hostops.ReadSettledFlows(ctx, hostops.RelayEnds([]netip.AddrPort{published}, inside))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		sockets, err := hostops.ReadSockets(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		found := map[int]int{}
		for at, c := range sockets.Relayed(flows, []netip.AddrPort{published}, inside) {
			found[int(at.Port())] = c.PID
		}
		_ = json.NewEncoder(os.Stdout).Encode(found)
		return 0
	})
}

// leakAs runs a leaking process of a user, and is its pid.
func leakAs(t *testing.T, user *enginetest.Account, o pgtest.LeakOptions) int {
	t.Helper()
	cmd := user.As(pgtest.LeakCommand(o))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestClientsBehindDockerProxyAreToldWithoutRights(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	c := e.Postgres(enginetest.PostgresOptions{MaxConnections: 80})
	user := enginetest.User(t)
	truth := map[string]int{} // application_name to pid
	add := func(sessions int) {
		name := "leak" + strconv.Itoa(len(truth))
		truth[name] = leakAs(t, user, pgtest.LeakOptions{URL: c.URL("application_name=" + name), Sessions: sessions})
	}
	for range 5 { // dev servers with a pool
		add(8)
	}
	for range 10 {
		add(1)
	}
	rows, err := c.Admin("postgres").Query(t.Context(), "SELECT client_port, application_name FROM pg_stat_activity WHERE application_name LIKE 'leak%'")
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]int{}
	for rows.Next() {
		var port int
		var name string
		if err := rows.Scan(&port, &name); err != nil {
			t.Fatal(err)
		}
		want[port] = truth[name]
	}
	if len(want) != 50 {
		t.Fatalf("%d sessions", len(want))
	}
	run := func(cmd *exec.Cmd) map[int]int {
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		found := map[int]int{}
		if err == nil {
			err = json.Unmarshal(out, &found)
		}
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	role := func() *exec.Cmd {
		return reexec.Command(t.Context(), "relayed", c.Published.String(), c.Inside.String())
	}
	for who, command := range map[string]func() *exec.Cmd{
		"root":         role,
		"the user":     func() *exec.Cmd { return user.As(role()) },
		"another user": func() *exec.Cmd { return enginetest.User(t).As(role()) },
	} {
		told := map[int]bool{}
		pgtest.Eventually(t, 10*time.Second, "as "+who+" nearly all of 50 clients are told", func() bool {
			for port, pid := range run(command()) {
				if want[port] == 0 { // the test's own session
					continue
				}
				if who == "another user" && pid == 0 {
					pid = want[port]
				}
				if told[port] = true; pid != want[port] {
					t.Errorf("as %s: client port %d is told to be process %d, and is %d", who, port, pid, want[port])
				}
			}
			return t.Failed() || len(told) >= 48 || who == "another user" && len(told) > 0
		})
	}
}
