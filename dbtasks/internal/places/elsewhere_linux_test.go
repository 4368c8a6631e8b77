package places

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// handOn accepts connections and hands them on to an address, as a tunnel or a
// proxy of a cloud's does. It ends with the test.
func handOn(t *testing.T, l net.Listener, to string) {
	t.Helper()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
}

// refused wants that nothing was touched on a server that is not this machine's.
func refused(t *testing.T, what string, me caller, admin func() int, want int) {
	t.Helper()
	for _, args := range [][]string{{"db:cleanup", "-force"}, {"dev:recover", "-restart=always", "-start=false"}} {
		if r := me.run(t, args...); r.exit != 3 || !strings.Contains(r.out, "-remote=") && !strings.Contains(r.out, "another machine") {
			t.Errorf("%s: %s: %s", what, strings.Join(args, " "), r)
		}
		if n := admin(); n != want {
			t.Errorf("%s: %s: %d sessions of production are left of %d", what, strings.Join(args, " "), n, want)
		}
	}
}

func TestProductionIsNotLocalWhateverTheWayIn(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	other := enginetest.Other(t)
	far := other.Postgres(50, nil)
	admin := pgtest.Connect(t, far.AdminURL("postgres"))
	other.Connect(far.URL("application_name=shop"), 3)
	left := func() int { return sessions(t, admin) }

	socket := filepath.Join(t.TempDir(), "proj:europe-west1:prod")
	l := listenUnix(t, socket)
	handOn(t, l, far.At.String())
	me := root(t, fmt.Sprintf("DATABASE_URL=%q", fmt.Sprintf("postgres://%s:%s@localhost/%s?host=%s&connection_limit=5", enginetest.Role, far.Password, enginetest.Database, socket)))
	refused(t, "a proxy's Unix socket", me, left, 3)

	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handOn(t, tcp, far.At.String())
	refused(t, "a proxy on localhost", root(t, at(far, netip.MustParseAddrPort(tcp.Addr().String()))), left, 3)
	refused(t, "another machine by its address", root(t, limited(far)), left, 3)

	// The same proxy in a container that publishes a port: docker-proxy, root's,
	// leads to a container of this machine, in which no PostgreSQL runs.
	forwarded := other.Forward(far.At)
	refused(t, "a forwarder of the other machine", root(t, at(far, forwarded)), left, 3)
	_ = e
}

func listenUnix(t *testing.T, dir string) net.Listener {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLocalhostIsTheServerThatAnswersFirst(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	port := pgtest.FreePort(t)
	six := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("[::1]:%d:5432", port)}})
	four := e.Postgres(enginetest.PostgresOptions{Publish: []string{fmt.Sprintf("127.0.0.1:%d:5432", port)}})
	if err := os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil { // this machine is the tests' own
		t.Fatal(err)
	}
	url := strings.Replace(limited(six.Server), fmt.Sprintf("[::1]:%d", port), fmt.Sprintf("localhost:%d", port), 1)
	me := user(t, []string{"docker"}, url)
	me.fill(t, six.Server, 20)
	me.leak(t, four.Server, 4)
	if r := me.run(t, "db:test"); r.exit != 1 || !strings.Contains(r.out, "53300") {
		t.Errorf("the app is refused, and db:test says: %s", r)
	}
	r := me.run(t, "db:cleanup", "-dry")
	if r.exit != 0 || !strings.Contains(r.out, "::1") || !strings.Contains(r.out, fmt.Sprintf("127.0.0.1:%d", port)) {
		t.Errorf("the plan does not name both servers: %s", r)
	}
	before := four.PID
	if r := me.run(t, "dev:recover", "-start=false"); r.exit != 0 {
		t.Errorf("dev:recover: %s", r)
	}
	if a, b := sessions(t, six.Admin("postgres")), sessions(t, four.Admin("postgres")); a != 0 || b != 4 {
		t.Errorf("%d and %d sessions are left, want 0 and 4", a, b)
	}
	if four.Look(); four.PID != before {
		t.Error("the other server was restarted")
	}
}
