package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/rpc"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// OtherMachine is a second machine, with processes that are not seen from this
// one, at the other end of a network. Its servers play production.
type OtherMachine struct {
	t    testing.TB
	call *rpc.Client
}

// The addresses of the two machines on the network between them.
var (
	ThisAddr  = netip.MustParseAddr("192.0.2.1")
	OtherAddr = netip.MustParseAddr("192.0.2.2")
)

// toOther is the way to the other machine's first process, made once.
var toOther = sync.OnceValues(func() (*rpc.Client, error) {
	conn, err := net.FileConn(os.NewFile(otherFD, "other machine"))
	if err != nil {
		return nil, fmt.Errorf("talk to the other machine: %w", err)
	}
	return rpc.NewClient(conn), nil
})

// Other is the other machine; it ends with this one.
func Other(t testing.TB) *OtherMachine {
	t.Helper()
	require(t, "ip")
	client, err := toOther()
	if err != nil {
		t.Fatal(err)
	}
	return &OtherMachine{t, client}
}

// Postgres starts a server there, with Role and Database, on all its addresses.
// Setting port wins over the free one that it has else. It ends with the test.
func (o *OtherMachine) Postgres(maxConnections int, settings map[string]string) Server {
	o.t.Helper()
	var started PostgresStarted
	order := PostgresOrder{Binaries: pgtest.Binaries(o.t), MaxConnections: maxConnections, Settings: settings}
	if err := o.call.Call("Machine.StartPostgres", order, &started); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := o.call.Call("Machine.Stop", started.ID, &struct{}{}); err != nil {
			o.t.Error(err)
		}
	})
	s := Server{At: netip.AddrPortFrom(OtherAddr, uint16(started.Port)), Superuser: started.Superuser, SuperuserPassword: started.Password, Password: pgserver.RandomPassword()}
	admin := pgtest.Connect(o.t, s.AdminURL("postgres"))
	for _, sql := range []string{fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", Role, s.Password), fmt.Sprintf("CREATE DATABASE %s OWNER %s", Database, Role)} {
		if _, err := admin.Exec(context.Background(), sql); err != nil {
			o.t.Fatal(err)
		}
	}
	if err := admin.Close(context.Background()); err != nil {
		o.t.Fatal(err)
	}
	return s
}

// Forward has a process there hand every connection to a free port of it on to
// an address, and is where it listens. It ends with the test.
func (o *OtherMachine) Forward(to netip.AddrPort) netip.AddrPort {
	o.t.Helper()
	var started ForwardStarted
	if err := o.call.Call("Machine.StartForward", to.String(), &started); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = o.call.Call("Machine.Stop", started.ID, &struct{}{}) })
	return netip.AddrPortFrom(OtherAddr, uint16(started.Port))
}

// AddAddr gives that machine a further address of its own, as a host of the same
// private network or at the far end of a VPN has, until the test ends.
func (o *OtherMachine) AddAddr(addr netip.Addr) {
	o.t.Helper()
	var id int
	if err := o.call.Call("Machine.AddAddr", addr.String(), &id); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = o.call.Call("Machine.Stop", id, &struct{}{}) })
}

// Connect opens sessions from there, which are closed with the test.
func (o *OtherMachine) Connect(url string, sessions int) {
	o.t.Helper()
	var id int
	if err := o.call.Call("Machine.Connect", SessionsOrder{url, sessions}, &id); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = o.call.Call("Machine.Stop", id, &struct{}{}) })
}

// What the tests and the other machine tell each other, exported for net/rpc.
type (
	PostgresOrder struct {
		Binaries       pgserver.Binaries
		MaxConnections int
		Settings       map[string]string
	}
	PostgresStarted struct {
		ID, Port            int
		Superuser, Password string
	}
	ForwardStarted struct{ ID, Port int }
	SessionsOrder  struct {
		URL   string
		Count int
	}
)

// otherRole is the first process of the other machine: it does what the tests
// order through the file that both inherited.
const otherRole = "enginetest-other"

// otherFD is that file, on both sides.
const otherFD = 3

func init() { reexec.Register(otherRole, otherMain) }

func otherMain([]string) int {
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_ = os.Setenv("TMPDIR", "/run/tmp")
	conn, err := net.FileConn(os.NewFile(otherFD, "orders"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	server := rpc.NewServer()
	_ = server.RegisterName("Machine", &otherService{running: map[int]func() error{}})
	server.ServeConn(conn)
	return 0
}

// otherService keeps what it started, by number, until Stop.
type otherService struct {
	mu      sync.Mutex
	last    int
	running map[int]func() error
}

func (s *otherService) keep(stop func() error) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.running[s.last] = stop
	return s.last
}

func (s *otherService) Stop(id int, _ *struct{}) error {
	s.mu.Lock()
	stop := s.running[id]
	delete(s.running, id)
	s.mu.Unlock()
	if stop == nil {
		return errors.New("nothing of this number runs")
	}
	return stop()
}

func (s *otherService) StartPostgres(o PostgresOrder, started *PostgresStarted) error {
	settings := map[string]string{"listen_addresses": "*"}
	for name, value := range o.Settings {
		settings[name] = value
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, err := pgserver.StartDisposable(ctx, pgserver.DisposableOptions{
		Binaries: o.Binaries, MaxConnections: o.MaxConnections, Settings: settings, HBA: []string{"host all all all scram-sha-256"},
	})
	if err != nil {
		return err
	}
	id := s.keep(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return d.Stop(ctx)
	})
	*started = PostgresStarted{id, d.Port, d.Superuser, d.SuperuserPassword}
	if port, err := strconv.Atoi(o.Settings["port"]); err == nil {
		started.Port = port
	}
	return nil
}

func (s *otherService) StartForward(to string, started *ForwardStarted) error {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	go serveForward(listener, to)
	*started = ForwardStarted{s.keep(listener.Close), listener.Addr().(*net.TCPAddr).Port}
	return nil
}

func (s *otherService) AddAddr(addr string, id *int) error {
	change := func(verb string) error {
		if out, err := exec.Command("ip", "addr", verb, addr, "dev", "lo").CombinedOutput(); err != nil {
			return fmt.Errorf("ip addr %s %s: %w: %s", verb, addr, err, out)
		}
		return nil
	}
	*id = s.keep(func() error { return change("del") })
	return change("add")
}

func (s *otherService) Connect(o SessionsOrder, id *int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var open []*pgx.Conn
	closeAll := func() error {
		for _, conn := range open {
			_ = conn.Close(context.Background())
		}
		return nil
	}
	for range o.Count {
		conn, err := pgx.Connect(ctx, o.URL)
		if err != nil {
			return errors.Join(err, closeAll())
		}
		open = append(open, conn)
	}
	*id = s.keep(closeAll)
	return nil
}
