//go:build unix

package hostops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// role starts a role that prints a port, and returns its process and the port.
func role(t testing.TB, name string, args ...string) (Process, int) {
	t.Helper()
	cmd := reexec.Command(context.Background(), name, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	line, _ := readLine(out)
	port, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("%s %s: %s", name, args, line)
	}
	return p, port
}

func holdersOf(t *testing.T, port int) []int {
	t.Helper()
	sockets, err := ReadSockets(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, l := range sockets.Listeners() {
		if int(l.Addr.Port()) == port {
			pids = append(pids, l.PID)
		}
	}
	return pids
}

func TestAListenerIsSeenWhileItListensAndNotAfterwards(t *testing.T) {
	t.Parallel()
	addrs := []string{"127.0.0.1:0", "0.0.0.0:0"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // not every container has IPv6
		_ = l.Close()
		addrs = append(addrs, "[::1]:0", "[::]:0")
	}
	for _, addr := range addrs {
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
	client, local := role(t, "client", "tcp", fmt.Sprintf("127.0.0.1:%d", port), "1")
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

func TestEveryHolderOfASharedListenerIsNamed(t *testing.T) {
	t.Parallel()
	cmd := reexec.Command(context.Background(), "share")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	port := 0
	if line, err := readLine(out); err != nil {
		t.Fatal(err)
	} else if port, err = strconv.Atoi(line); err != nil {
		t.Fatal(err)
	}
	child := childOf(t, out)
	var got []int
	eventually(t, "both hold it", func() bool {
		got = holdersOf(t, port)
		slices.Sort(got)
		return slices.Equal(got, slices.Sorted(slices.Values([]int{p.PID, child.PID})))
	})
}

func TestTwoListenersOfOnePortAreBothNamed(t *testing.T) {
	t.Parallel()
	reuse := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}), err)
	}}
	first, err := reuse.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := reuse.Listen(context.Background(), "tcp", first.Addr().String())
	if err != nil {
		t.Skip(err)
	}
	defer second.Close()
	if got := holdersOf(t, first.Addr().(*net.TCPAddr).Port); !slices.Equal(got, []int{os.Getpid(), os.Getpid()}) {
		t.Errorf("held by %v, want this process (%d) twice", got, os.Getpid())
	}
}

func TestTheClientOfAUnixSocketIsFoundThroughItsPeer(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("peers of Unix sockets are told on Linux alone")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, ".s.PGSQL.54399")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, _ := role(t, "client", "unix", path, "2")
	for range 2 {
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer served.Close()
	}
	s, err := ReadSockets(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.UnixClients(54399)[os.Getpid()]; !slices.Equal(got, []int{client.PID, client.PID}) {
		t.Errorf("clients %v, want %d for each of its connections", got, client.PID)
	}
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

// BenchmarkReadSocketsFull is the pass with 1,000 connections of 50 processes
// to one port. To compare: lsof -nP -iTCP:<port> while it runs.
func BenchmarkReadSocketsFull(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	for range 50 {
		role(b, "client", "tcp", l.Addr().String(), "20")
	}
	port := l.Addr().(*net.TCPAddr).Port
	b.Logf("port %d", port)
	for b.Loop() {
		s, err := ReadSockets(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if n := len(s.Connections(port)); n != 1000 {
			b.Fatalf("%d connections, want 1000", n)
		}
	}
}
