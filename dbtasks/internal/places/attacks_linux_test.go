package places

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// production is a server of the other machine with sessions of its own, and a
// superuser's session to count them by, straight and not through what is tried.
type production struct {
	enginetest.Server
	admin *pgx.Conn
	held  int
}

// newProduction has the other machine start a server with 3 sessions of an
// application. full: they and 3 of the superuser's are all that it can hold, so
// that nobody gets in who could have the session prove the server.
func newProduction(t *testing.T, other *enginetest.OtherMachine, full bool) *production {
	t.Helper()
	slots := 50
	if full {
		slots = 10
	}
	p := &production{Server: other.Postgres(slots, nil), held: 3}
	other.Connect(p.URL("application_name=shop"), p.held)
	p.admin = pgtest.Connect(t, p.AdminURL("postgres"))
	for full {
		conn, err := pgx.Connect(t.Context(), p.AdminURL("postgres"))
		if err != nil {
			break
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return p
}

// takesPasswordOf has it take the password of a server of this machine: whoever
// is led astray gets in.
func (p *production) takesPasswordOf(t *testing.T, s enginetest.Server) {
	t.Helper()
	if _, err := p.admin.Exec(t.Context(), fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", enginetest.Role, s.Password)); err != nil {
		t.Fatal(err)
	}
	p.Password = s.Password
}

// untouchedByWhoever has callers of every kind try. Nothing of production may be
// touched by any of them, and where they get in, exit 3 says why. kept, when it
// is not nil, counts the sessions of a server of this machine beside it.
func (p *production) untouchedByWhoever(t *testing.T, env string, full bool, kept func() int) {
	t.Helper()
	want := 0
	if kept != nil {
		want = kept()
	}
	for name, me := range map[string]caller{"root": root(t, env), "user in group docker": user(t, []string{"docker"}, env), "user": user(t, nil, env)} {
		calls := [][]string{{"db:cleanup", "-force"}, {"dev:recover", "-restart=always", "-start=false"}}
		if full {
			calls = append(calls, []string{"dev:recover", "-start=false"})
		}
		if name == "root" {
			calls = append(calls, []string{"db:limits", "-raise=40"})
		}
		for _, args := range calls {
			r := me.run(t, args...)
			if refused := r.exit == 3 && strings.Contains(r.out, "not proven"); !refused && (!full || r.exit == 0) {
				t.Errorf("%s: %s: %s", name, strings.Join(args, " "), r)
			}
			if n := sessions(t, p.admin); n != p.held {
				t.Fatalf("%s: %s: %d of %d sessions of production are left: %s", name, strings.Join(args, " "), n, p.held, r)
			}
			if kept != nil {
				if n := kept(); n != want {
					t.Fatalf("%s: %s: %d of %d sessions of the server beside it are left: %s", name, strings.Join(args, " "), n, want, r)
				}
			}
		}
	}
}

// fullOrNot runs a test with a production that lets us in, and with one that
// does not.
func fullOrNot(t *testing.T, test func(t *testing.T, full bool)) {
	t.Run("in", func(t *testing.T) { t.Parallel(); test(t, false) })
	t.Run("full", func(t *testing.T) { t.Parallel(); test(t, true) })
}

func TestAPoolersSocketIsNoProof(t *testing.T) {
	t.Parallel()
	p := newProduction(t, enginetest.Other(t), false)
	near := pgtest.Start(t, pgserver.DisposableOptions{}) // has the same database, role and password
	b := pgtest.StartBouncer(t, pgtest.BouncerOptions{Server: p.At}, near.NewNamedDatabase(enginetest.Database, enginetest.Role, p.Password))
	if err := os.Chmod(b.SocketDir(), 0o755); err != nil { //nolint:gosec // others are to come in
		t.Fatal(err)
	}
	socket := fmt.Sprintf("DATABASE_URL=postgres://%s:%s@localhost:%d/%s?host=%s&pgbouncer=true&connection_limit=5", enginetest.Role, p.Password, b.Port, enginetest.Database, b.SocketDir())
	p.untouchedByWhoever(t, socket, false, nil)
	tcp := p.Server
	tcp.At = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(b.Port))
	p.untouchedByWhoever(t, limited(tcp, "pgbouncer=true"), false, nil)
}

func TestAForwarderInAContainerIsNoProof(t *testing.T) {
	t.Parallel()
	fullOrNot(t, func(t *testing.T, full bool) {
		e := enginetest.Docker(t, enginetest.DockerOptions{})
		p := newProduction(t, enginetest.Other(t), full)
		port := pgtest.FreePort(t)
		e.Forwarder(fmt.Sprintf("127.0.0.1:%d:5432", port), p.At)
		near := p.Server
		near.At = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
		p.untouchedByWhoever(t, limited(near), full, nil)
	})
}

// command changes the machine's own network.
func command(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// redirect has the firewall send connections to an address of this machine on to
// another place, until the test ends.
func redirect(t *testing.T, from, to netip.AddrPort) {
	t.Helper()
	for _, name := range []string{"all", "eth0"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/route_localnet", []byte("1"), 0o644); err != nil { //nolint:gosec // the kernel's own file
			t.Fatal(err)
		}
	}
	for _, rule := range []string{
		fmt.Sprintf("OUTPUT -p tcp -d %s --dport %d -j DNAT --to-destination %s", from.Addr(), from.Port(), to),
		fmt.Sprintf("POSTROUTING -p tcp -s 127.0.0.0/8 -d %s --dport %d -j MASQUERADE", to.Addr(), to.Port()),
	} {
		command(t, "iptables -w -t nat -I "+rule)
		t.Cleanup(func() {
			if t.Failed() {
				out, _ := exec.Command("iptables-save", "-c", "-t", "nat").CombinedOutput()
				t.Logf("the firewall: %s", out)
			}
			command(t, "iptables -w -t nat -D "+rule)
		})
	}
}

// hostServer is a server of this machine with the application's role and
// database; its count of sessions goes over IPv6.
func hostServer(t *testing.T, o pgserver.DisposableOptions) (enginetest.Server, *pgtest.Server) {
	t.Helper()
	s := pgtest.Start(t, o)
	db := s.NewNamedDatabase(enginetest.Database, enginetest.Role, pgserver.RandomPassword())
	return enginetest.Server{At: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(s.Port)), Superuser: s.Superuser, SuperuserPassword: s.SuperuserPassword, Password: db.Password}, s
}

func TestAnAddressThatTheFirewallSendsElsewhereIsNoProof(t *testing.T) {
	t.Parallel()
	fullOrNot(t, func(t *testing.T, full bool) {
		p := newProduction(t, enginetest.Other(t), full)
		beside := func(t *testing.T, near enginetest.Server, admin string) {
			pgtest.StartLeak(t, pgtest.LeakOptions{URL: near.URL("application_name=shop"), Sessions: 4})
			conn := pgtest.Connect(t, admin)
			p.takesPasswordOf(t, near)
			redirect(t, near.At, p.At)
			p.untouchedByWhoever(t, limited(near), full, func() int { return sessions(t, conn) })
		}
		t.Run("beside a server", func(t *testing.T) {
			near, _ := hostServer(t, pgserver.DisposableOptions{})
			beside(t, near, strings.Replace(near.AdminURL("postgres"), "127.0.0.1", "[::1]", 1))
		})
		t.Run("beside a container", func(t *testing.T) {
			c := enginetest.Docker(t, enginetest.DockerOptions{}).Postgres(enginetest.PostgresOptions{})
			inside := c.Server
			inside.At = c.Inside
			beside(t, c.Server, inside.AdminURL("postgres"))
		})
	})
}

func TestARouteToTheOtherMachineInsideAContainersNetworkIsNoProof(t *testing.T) {
	t.Parallel()
	fullOrNot(t, func(t *testing.T, full bool) {
		e, other := enginetest.Docker(t, enginetest.DockerOptions{}), enginetest.Other(t)
		network := fmt.Sprintf("vpn-%v", full)
		e.Network(network, "")
		c := e.Postgres(enginetest.PostgresOptions{Network: network})
		e.Client(enginetest.ClientOptions{URL: c.InsideURL("application_name=shop"), Sessions: 4, Network: network})
		p := newProduction(t, other, full)
		p.takesPasswordOf(t, c.Server)
		// The other machine has the container's very address, and a route of this
		// one leads there, as a VPN's does whose network is also Docker's.
		other.AddAddr(c.Inside.Addr())
		route := fmt.Sprintf("%s via %s dev eth0", c.Inside.Addr(), enginetest.OtherAddr)
		command(t, "ip route add "+route)
		vpn := p.Server
		vpn.At = netip.AddrPortFrom(c.Inside.Addr(), p.At.Port())
		failed := !t.Run("runbook", func(t *testing.T) { p.untouchedByWhoever(t, limited(vpn), full, nil) })
		command(t, "ip route del "+route)
		if n := sessions(t, c.Admin("postgres")); n != 4 && !failed {
			t.Errorf("%d of 4 sessions of the container are left", n)
		}
	})
}

func TestAnotherAccountsTunnelIsNoProof(t *testing.T) {
	t.Parallel()
	fullOrNot(t, func(t *testing.T, full bool) {
		e, other := enginetest.Docker(t, enginetest.DockerOptions{}), enginetest.Other(t)
		// The server says that its own address is one of Docker's first network,
		// where a container of this machine has it.
		c := e.Postgres(enginetest.PostgresOptions{Publish: []string{}})
		p := newProduction(t, other, full)
		p.takesPasswordOf(t, c.Server)
		if full { // both tests have the other machine, and its addresses, in common
			other.AddAddr(c.Inside.Addr())
		} else {
			other.AddAddr(netip.MustParseAddr("172.17.0.222"))
		}
		there := netip.AddrPortFrom(netip.MustParseAddr("172.17.0.222"), p.At.Port())
		if full {
			there = netip.AddrPortFrom(c.Inside.Addr(), p.At.Port())
		}
		near := p.Server
		near.At = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(pgtest.FreePort(t)))
		await(t, enginetest.Forward(t, enginetest.User(t), near.At.String(), other.Forward(there)))
		p.untouchedByWhoever(t, limited(near), full, nil)
	})
}

func await(t *testing.T, ready <-chan struct{}) {
	t.Helper()
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		t.Fatal("the forwarder does not listen")
	}
}

func TestATunnelThatTakesThePortDuringARestartIsNoticed(t *testing.T) {
	t.Parallel()
	e, other := enginetest.Docker(t, enginetest.DockerOptions{}), enginetest.Other(t)
	for _, full := range []bool{false, true} {
		t.Run(map[bool]string{false: "in", true: "full"}[full], func(t *testing.T) {
			c := e.Postgres(enginetest.PostgresOptions{})
			p := newProduction(t, other, full)
			p.takesPasswordOf(t, c.Server)
			took := enginetest.Forward(t, enginetest.User(t), c.At.String(), p.At)
			r := user(t, []string{"docker"}, limited(c.Server)).run(t, "dev:recover", "-restart=always", "-start=false")
			select {
			case <-took:
			case <-time.After(time.Second):
				t.Skipf("the container was faster with its port: %s", r)
			}
			if r.exit != 1 {
				t.Errorf("the port is a tunnel's, and: %s", r)
			}
			if n := sessions(t, p.admin); n != p.held {
				t.Errorf("%d of %d sessions of production are left: %s", n, p.held, r)
			}
			// As it is found afterwards, too.
			again := user(t, []string{"docker"}, limited(c.Server)).run(t, "db:cleanup", "-force")
			if n := sessions(t, p.admin); n != p.held || again.exit == 0 || !full && again.exit != 3 {
				t.Errorf("%d of %d sessions of production are left: %s", n, p.held, again)
			}
		})
	}
}
