package places

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// debianSockets is where Debian's servers have their Unix sockets; on this
// machine, which is the tests' own, nobody made it.
const debianSockets = "/run/postgresql"

// likeDebian is a server of account postgres as Debian has it: peer on the
// socket in its usual place, a password over TCP. All ordinary slots are taken by
// an application of another account.
func likeDebian(t *testing.T, settings map[string]string) (enginetest.Server, *pgtest.Server) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a server of another account")
	}
	if enginetest.Machine() == "" {
		t.Skip("the usual place of sockets is this machine's own")
	}
	if err := os.MkdirAll(debianSockets, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(debianSockets, 0o777|os.ModeSticky); err != nil { //nolint:gosec // as it is on every Debian, but for the group
		t.Fatal(err)
	}
	s, d := hostServer(t, pgserver.DisposableOptions{Settings: settings, HBA: []string{"local all all peer"}})
	pgtest.StartLeak(t, pgtest.LeakOptions{URL: s.URL("application_name=shop"), Sessions: 17, As: enginetest.User(t).As})
	return s, d
}

func TestASuperusersSocketLetsAnOrdinaryUserIntoAnotherAccountsServer(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		settings map[string]string
		env      func(account string, s enginetest.Server, d *pgtest.Server) []string
		route    string
	}{
		"createuser -s": {map[string]string{"unix_socket_directories": debianSockets}, func(string, enginetest.Server, *pgtest.Server) []string { return nil }, "local_superuser"},
		"DBTASKS_ADMIN_URL": {nil, func(account string, s enginetest.Server, d *pgtest.Server) []string {
			return []string{fmt.Sprintf("DBTASKS_ADMIN_URL=postgres://%s@localhost:%d/postgres?host=%s", account, s.At.Port(), d.SocketDir)}
		}, "admin_url"},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := likeDebian(t, way.settings)
			account := enginetest.User(t)
			admin := pgtest.Connect(t, s.AdminURL("postgres"))
			if _, err := admin.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %s SUPERUSER LOGIN", account.Name)); err != nil {
				t.Fatal(err)
			}
			me := project(t, account, append([]string{limited(s)}, way.env(account.Name, s, d)...))
			r := me.run(t, "db:cleanup", "-json")
			target, _ := r.json["target"].(map[string]any)
			if r.exit != 0 || r.json["route"] != way.route || target["local"] != true {
				t.Errorf("db:cleanup: %s", r)
			}
			if n := sessions(t, admin); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// sudoCommand is the command that a failure names for root.
var sudoCommand = regexp.MustCompile(`sudo (\S+ db:cleanup)`)

func TestTheCommandForRootIsNamedAndWorks(t *testing.T) {
	t.Parallel()
	s, _ := likeDebian(t, map[string]string{"unix_socket_directories": debianSockets})
	var since, now time.Time
	admin := pgtest.Connect(t, s.AdminURL("postgres"))
	if err := admin.QueryRow(t.Context(), "SELECT pg_postmaster_start_time()").Scan(&since); err != nil {
		t.Fatal(err)
	}
	me := user(t, nil, limited(s))
	r := me.run(t, "db:cleanup")
	named := sudoCommand.FindStringSubmatch(r.out)
	if r.exit != 1 || named == nil {
		t.Fatalf("no command for root: %s", r)
	}
	if n := sessions(t, admin); n != 17 {
		t.Errorf("%d of 17 sessions are left", n)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", named[1])
	cmd.Dir = me.dir
	// As sudo does it: root's home, and who called.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "TMPDIR=" + os.TempDir(),
		"SUDO_USER=" + me.account.Name, fmt.Sprintf("SUDO_UID=%d", me.account.UID), fmt.Sprintf("SUDO_GID=%d", me.account.GID)}
	out, err := cmd.CombinedOutput()
	if n := sessions(t, admin); err != nil || n != 0 {
		t.Errorf("sudo %s: %v, %d sessions are left: %s", named[1], err, n, out)
	}
	if err := admin.QueryRow(t.Context(), "SELECT pg_postmaster_start_time()").Scan(&now); err != nil || !now.Equal(since) {
		t.Errorf("the server was restarted: %v", err)
	}
}

func TestAFullContainerIsFreeLittleLaterThanItsEngineCanBeAsked(t *testing.T) {
	t.Parallel()
	e := enginetest.Docker(t, enginetest.DockerOptions{})
	c := e.Postgres(enginetest.PostgresOptions{MaxConnections: 21})
	me := user(t, []string{"docker"}, limited(c.Server))
	admin := pgtest.Connect(t, c.AdminURL("postgres"))
	const rounds = 5
	var more []time.Duration
	for i := range rounds {
		pgtest.Eventually(t, 10*time.Second, "no other session is left", func() bool { return pgtest.Count(t, admin, "true") == 0 })
		leak := me.leak(t, c.Server, 17)
		release := fillRest(t, c.Server)
		began := time.Now()
		for range 2 {
			if out, err := me.account.Command(nil, "docker", "exec", c.ID, "true").CombinedOutput(); err != nil {
				t.Fatalf("docker exec: %v: %s", err, out)
			}
		}
		twice := time.Since(began)
		r := me.run(t, "db:cleanup")
		if r.exit != 0 || !strings.Contains(r.out, "all gone") {
			t.Fatalf("db:cleanup: %s", r)
		}
		leak.Stop()
		release()
		t.Logf("round %d: docker exec twice %s, db:cleanup %s", i, twice.Round(time.Millisecond), r.took.Round(time.Millisecond))
		more = append(more, r.took-twice)
	}
	slices.Sort(more)
	t.Logf("the median of what db:cleanup takes more: %s", more[rounds/2].Round(time.Millisecond))
	// A second on a quiet machine; this one may be busy.
	if more[rounds/2] > 8*time.Second {
		t.Errorf("db:cleanup takes %s more than docker exec twice", more[rounds/2])
	}
}
