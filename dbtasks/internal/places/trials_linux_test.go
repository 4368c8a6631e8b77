package places

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

var (
	trials    = flag.Int("trials", 12, "how many random trials are made; an issue's acceptance wants 500")
	trialSeed = flag.Uint64("trialseed", 1, "what the random trials are made of; the same seed makes the same ones")
)

// trialsAWorld is how many trials are made with the same servers, which take
// longer to start than a trial lasts.
const trialsAWorld = 4

// world is a random set of servers that are easily taken for one another: the
// same port at several addresses, the same database, role and password.
type world struct {
	dice    *rand.Rand
	servers []*trialServer
}

// trialServer is one of them.
type trialServer struct {
	enginetest.Server
	kind  string    // host, container, other machine, tunnel
	admin *pgx.Conn // lives as long as the world; another one after a restart
	leak  *pgtest.Leak
}

func (s *trialServer) local() bool { return s.kind == "host" || s.kind == "container" }

// moment is what may not change on a server that is not dealt with: since when
// it runs, and the backends of its application. all counts those of everybody
// but of who looks.
type moment struct {
	started  time.Time
	backends map[int]bool
	all      int
}

func (s *trialServer) look(t *testing.T) moment {
	t.Helper()
	if s.admin == nil || s.admin.Ping(t.Context()) != nil {
		var err error
		if s.admin, err = pgx.Connect(t.Context(), s.AdminURL("postgres")); err != nil {
			t.Fatal(err)
		}
	}
	m := moment{backends: map[int]bool{}}
	var pids []int
	err := s.admin.QueryRow(t.Context(), `SELECT pg_postmaster_start_time(), coalesce((SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'shop'), '{}'),
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())`).Scan(&m.started, &pids, &m.all)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		m.backends[pid] = true
	}
	return m
}

// newWorld starts two to four servers.
func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{dice: rand.New(rand.NewPCG(*trialSeed, seed))}
	e, other := enginetest.Docker(t, enginetest.DockerOptions{}), enginetest.Other(t)
	port, password := pgtest.FreePort(t), pgserver.RandomPassword()
	addrs := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"}
	if w.dice.IntN(4) == 0 {
		addrs = []string{"0.0.0.0", "::1"} // nothing else fits beside a wildcard
	}
	n := min(2+w.dice.IntN(3), len(addrs))
	w.dice.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	kinds := []string{"host", "host", "container", "container", "other machine", "tunnel"}
	away := false
	for _, addr := range addrs[:n] {
		at := netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port))
		kind := kinds[w.dice.IntN(len(kinds))]
		s := &trialServer{kind: kind}
		if !s.local() && away {
			s.kind = "host" // there is one port of the other machine
		}
		switch s.kind {
		case "host":
			s.Server = hostServerAt(t, at)
		case "container":
			s.Server = e.Postgres(enginetest.PostgresOptions{Publish: []string{at.String() + ":5432"}}).Server
		default:
			away = true
			s.Server = other.Postgres(20, map[string]string{"port": fmt.Sprint(port)})
			if s.kind == "tunnel" {
				await(t, enginetest.Forward(t, enginetest.User(t), at.String(), s.At))
				s.At = at
			}
		}
		if s.At.Addr().IsUnspecified() {
			s.At = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.At.Port())
		}
		s.Password = password
		t.Cleanup(func() {
			if s.admin != nil {
				_ = s.admin.Close(context.Background())
			}
		})
		s.look(t)
		if _, err := s.admin.Exec(t.Context(), fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", enginetest.Role, password)); err != nil {
			t.Fatal(err)
		}
		w.servers = append(w.servers, s)
	}
	return w
}

// hostServerAt is a server that listens at one address only.
func hostServerAt(t *testing.T, at netip.AddrPort) enginetest.Server {
	t.Helper()
	d := pgtest.Start(t, pgserver.DisposableOptions{
		Settings: map[string]string{"port": fmt.Sprint(at.Port()), "listen_addresses": at.Addr().String()},
		HBA:      []string{"host all all all scram-sha-256"},
	})
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	}
	s := enginetest.Server{At: at, Superuser: d.Superuser, SuperuserPassword: d.SuperuserPassword, Password: pgserver.RandomPassword()}
	conn := pgtest.Connect(t, s.AdminURL("postgres"))
	for _, sql := range []string{fmt.Sprintf("CREATE ROLE %s LOGIN", enginetest.Role), fmt.Sprintf("CREATE DATABASE %s OWNER %s", enginetest.Database, enginetest.Role)} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close(t.Context())
	return s
}

// wrongs are what the trials found that may not be.
type wrongs struct{ trials, done, refused, sessions, restarts atomic.Int64 }

// trial gives every server sessions, some of them with the same ports at their
// clients' ends, calls one target for one server, and looks at all of them.
func (w *world) trial(t *testing.T, number int, found *wrongs) {
	dice := w.dice
	target := w.servers[dice.IntN(len(w.servers))]
	args := [][]string{
		{"db:cleanup", "-force"}, {"db:cleanup"}, {"dev:recover", "-start=false", "-restart=auto"}, {"dev:recover", "-start=false", "-restart=always"},
	}[dice.IntN(4)]
	full := dice.IntN(2) == 0
	who := []string{"root", "docker", "user"}[dice.IntN(3)]
	var me caller
	switch env := limited(target.Server); who {
	case "root":
		me = root(t, env)
	case "docker":
		me = user(t, []string{"docker"}, env)
	default:
		me = user(t, nil, env)
	}
	what := fmt.Sprintf("trial %d of seed %d: %s as %s for the %s at %s (full: %v) beside", number, *trialSeed, strings.Join(args, " "), who, target.kind, target.At, full)
	ports := 10000 + number*20%9000 // on the tests' own machine nothing else has these
	defer w.settle(t)
	for _, s := range w.servers {
		o := pgtest.LeakOptions{URL: s.URL("application_name=shop", "sslmode=disable"), Sessions: 2 + dice.IntN(4), Dir: me.dir, LocalPort: ports}
		if s == target && full {
			o.Sessions = 17 - 1 // beside the count's own session
		}
		if me.account != nil {
			o.As = me.account.As
		}
		s.leak = pgtest.StartLeak(t, o)
		if s == target && full {
			defer fillRest(t, s.Server)()
		}
		if s != target {
			what += fmt.Sprintf(" a %s at %s", s.kind, s.At)
		}
	}
	before := make([]moment, len(w.servers))
	for i, s := range w.servers {
		before[i] = s.look(t)
	}
	r := me.run(t, args...)
	found.trials.Add(1)
	switch r.exit {
	case 0:
		found.done.Add(1)
	case 3:
		found.refused.Add(1)
	}
	for i, s := range w.servers {
		after := s.look(t)
		if s == target && s.local() {
			s.dealtWith(t, what, args, full, who, r, before[i], after)
			continue
		}
		if !after.started.Equal(before[i].started) {
			found.restarts.Add(1)
			t.Errorf("%s: the %s at %s was restarted: %s", what, s.kind, s.At, r)
		}
		if !maps.Equal(after.backends, before[i].backends) {
			found.sessions.Add(1)
			t.Errorf("%s: of %d sessions of the %s at %s %d are left: %s", what, len(before[i].backends), s.kind, s.At, len(after.backends), r)
		}
		if s == target && r.exit == 0 {
			t.Errorf("%s: another machine's server, and exit 0: %s", what, r)
		}
	}
}

// settle ends what a trial holds: the next one fills the same servers.
func (w *world) settle(t *testing.T) {
	for _, s := range w.servers {
		if s.leak != nil {
			s.leak.Stop()
		}
	}
	if t.Failed() {
		return
	}
	for _, s := range w.servers {
		pgtest.Eventually(t, 10*time.Second, "the sessions are gone", func() bool { return s.look(t).all == 0 })
	}
}

// dealtWith wants that the server of this machine was cleaned up where this
// caller may.
func (s *trialServer) dealtWith(t *testing.T, what string, args []string, full bool, who string, r outcome, before, after moment) {
	t.Helper()
	restart := slices.Contains(args, "-restart=always")
	switch {
	case full && who != "root": // in a container group docker may; on the host only the server's account
		return
	case restart && (who == "user" || who == "docker" && s.kind == "host"):
		return
	}
	if r.exit != 0 || len(after.backends) != 0 {
		t.Errorf("%s: %d of %d sessions are left: %s", what, len(after.backends), len(before.backends), r)
	}
	if restarted := !after.started.Equal(before.started); restarted != restart {
		t.Errorf("%s: restarted: %v: %s", what, restarted, r)
	}
}

// fillRest takes what slots are left, as the superuser, until release.
func fillRest(t *testing.T, s enginetest.Server) (release func()) {
	t.Helper()
	var held []*pgx.Conn
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		conn, err := pgx.Connect(ctx, s.AdminURL("postgres"))
		cancel()
		if err != nil {
			return func() {
				for _, conn := range held {
					_ = conn.Close(context.Background())
				}
			}
		}
		held = append(held, conn)
	}
}

func TestRandomTrialsTouchNoOtherServer(t *testing.T) {
	t.Parallel()
	var found wrongs
	began := time.Now()
	t.Run("trials", func(t *testing.T) {
		for first := 0; first < *trials; first += trialsAWorld {
			t.Run(fmt.Sprint(first), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, uint64(first))
				for i := first; i < min(first+trialsAWorld, *trials) && !t.Failed(); i++ {
					t.Run(fmt.Sprint(i), func(t *testing.T) { w.trial(t, i, &found) })
				}
			})
		}
	})
	t.Logf("%d trials of seed %d in %s: %d done, %d refused; %d times sessions of another server were ended, %d times another server was restarted",
		found.trials.Load(), *trialSeed, time.Since(began).Round(time.Second), found.done.Load(), found.refused.Load(), found.sessions.Load(), found.restarts.Load())
}
