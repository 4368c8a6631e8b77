//go:build unix

package hostops

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/reexec"
)

// role starts a role that prints a port, and returns its process and the port.
func role(t *testing.T, name, arg string) (Process, int) {
	t.Helper()
	cmd := reexec.Command(context.Background(), name, arg)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	line, _ := bufio.NewReader(out).ReadString('\n')
	port, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Skipf("%s %s: %s", name, arg, line)
	}
	return p, port
}

func holdersOf(t *testing.T, port int) []int {
	t.Helper()
	all, err := Listeners(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, l := range all {
		if int(l.Addr.Port()) == port {
			pids = append(pids, l.PID)
		}
	}
	return pids
}

func TestAListenerIsSeenWhileItListensAndNotAfterwards(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		p, port := role(t, "listen", addr)
		if got := holdersOf(t, port); !slices.Equal(got, []int{p.PID}) {
			t.Errorf("%s: held by %v, want %d", addr, got, p.PID)
		}
		if out := stop(t, 0, p); out[0].Result != ResultGone {
			t.Fatalf("%+v", out)
		}
		if got := holdersOf(t, port); len(got) != 0 {
			t.Errorf("%s: still held by %v", addr, got)
		}
	}
}

func TestAClientOfAPortIsNoListenerAndIsNamedAsClient(t *testing.T) {
	t.Parallel()
	server, port := role(t, "listen", "127.0.0.1:0")
	client, local := role(t, "client", fmt.Sprintf("127.0.0.1:%d", port))
	if got := holdersOf(t, port); !slices.Equal(got, []int{server.PID}) {
		t.Errorf("listeners %v, want the server alone", got)
	}
	s, err := ReadSockets(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found := s.Connections(port)
	if len(found) != 1 || found[0].PID != client.PID || int(found[0].Local.Port()) != local {
		t.Errorf("%+v, want the client %d from port %d", found, client.PID, local)
	}
}

func TestTheClientOfAUnixSocketIsFoundThroughItsPeer(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("peers of Unix sockets are told on Linux alone")
	}
	path := filepath.Join(t.TempDir(), ".s.PGSQL.54399")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	s, err := ReadSockets(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	self := mustFind(t)
	if pid, ok := s.UnixListener(path); !ok || pid != self {
		t.Errorf("listener %d %v, want %d", pid, ok, self)
	}
	if got := s.UnixClients(54399); !slices.Equal(got[self], []int{self}) {
		t.Errorf("clients %v, want this process at both ends", got)
	}
}

func mustFind(t *testing.T) int {
	t.Helper()
	table, err := Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.All() {
		if table.IsSelfOrAncestor(p.PID) && len(table.Ancestors(p.PID)) == len(table.Ancestors(os.Getpid())) {
			return p.PID
		}
	}
	t.Fatal("this process is not in its own snapshot")
	return 0
}

func BenchmarkSnapshot(b *testing.B) {
	for b.Loop() {
		if _, err := Snapshot(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadSockets(b *testing.B) {
	for b.Loop() {
		if _, err := ReadSockets(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
