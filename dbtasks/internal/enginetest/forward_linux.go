package enginetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// forwardRole hands connections on, as a tunnel or a cloud's proxy does: it
// listens at its first argument as soon as that is free, says "ready", and ends
// with its standard input.
const forwardRole = "enginetest-forward"

func init() { reexec.Register(forwardRole, forwardMain) }

func forwardMain(args []string) int {
	network := "tcp"
	if strings.HasPrefix(args[0], "/") {
		network = "unix"
	} else if at, err := netip.ParseAddrPort(args[0]); err == nil && at.Addr().Is4() {
		network = "tcp4" // else 0.0.0.0 takes all of IPv6, too
	}
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(time.Millisecond) {
		listener, err := net.Listen(network, args[0])
		if err == nil {
			go serveForward(listener, args[1])
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "forward:", err)
			return 1
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func serveForward(listener net.Listener, to string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go forward(client, to)
	}
}

func forward(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}

// Forward starts a process of an account (nil: root) that hands every connection
// to listen, "127.0.0.1:5432" or the path of a Unix socket, on to an address. It
// waits for a place that is taken: ready is closed when it listens. It ends with
// the test.
func Forward(t testing.TB, as *Account, listen string, to netip.AddrPort) (ready <-chan struct{}) {
	t.Helper()
	require(t)
	cmd := reexec.Command(context.Background(), forwardRole, listen, to.String())
	if as != nil {
		as.As(cmd)
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listens, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		if said, _ := bufio.NewReader(out).ReadString('\n'); said == "ready\n" {
			close(listens)
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill() // it may still wait for its place
		<-read
		_ = cmd.Wait()
	})
	return listens
}

// Forwarder runs a container that hands connections to its port 5432 on to an
// address, as a cloud's proxy in a container does; publish is a value of -p.
func (e *Engine) Forwarder(publish string, to netip.AddrPort) *Container {
	e.t.Helper()
	cmd := reexec.Command(context.Background(), forwardRole, ":5432", to.String())
	c := &Container{e: e}
	e.start(c, append(inImage(cmd), append([]string{"-p", publish, Image}, cmd.Args[1:]...)...))
	pgtest.Eventually(e.t, 30*time.Second, "the forwarder in container "+c.Name+" listens", func() bool {
		return strings.Contains(e.Run("logs", c.ID), "ready")
	})
	return c
}

// inImage are the options of `run` that have a container play a role of this
// executable; the role is the last variable of the command's environment.
func inImage(cmd *exec.Cmd) []string {
	return []string{"-i", "-v", cmd.Path + ":/app:ro", "--entrypoint", "/app", "-e", cmd.Env[len(cmd.Env)-1]}
}
