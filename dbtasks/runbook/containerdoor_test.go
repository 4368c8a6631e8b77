//go:build unix

package runbook_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// fakeDocker answers as Docker does of one container, db-1, which publishes
// port; what is to run inside it runs here, with inside in its environment.
func fakeDocker(t *testing.T, port, serverPort int, inside string) {
	t.Helper()
	const id = "4c01db0b339c4f1a2d0b7a5f6a8f0d2a6f1f1e7a9c3b5d7e9f0a1b2c3d4e5f60"
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in
'context inspect --format {{.Endpoints.docker.Host}}') echo unix:///var/run/docker.sock ;;
'ps -q --no-trunc') echo %[1]s ;;
'inspect %[1]s') echo '[{"Id":"%[1]s","Name":"/db-1","HostConfig":{"PidMode":""},"Config":{"Image":"postgres:15","Labels":{}},"NetworkSettings":{"Ports":{"%[3]d/tcp":[{"HostIp":"0.0.0.0","HostPort":"%[2]d"}]}}}]' ;;
'inspect -f {{.Id}} {{.State.Pid}} {{.State.Running}} {{.State.StartedAt}} %[1]s') echo '%[1]s 0 true 2026-11-26T01:00:00Z' ;;
'exec -u postgres %[1]s sh -c '*) shift 4; exec env %[4]s "$@" ;;
*) echo "unknown command: $*" >&2; exit 64 ;;
esac
`, id, port, serverPort, inside)
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `cat >"$0" && chmod 755 "$0"`, filepath.Join(dir, "docker"))
	cmd.Stdin = strings.NewReader(script)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestAFullServerInAContainerIsEnteredFromWithin runs what docker exec would
// run, for real, on a server that has no ordinary slot left.
func TestAFullServerInAContainerIsEnteredFromWithin(t *testing.T) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not here; every image of PostgreSQL has it")
	}
	for _, c := range []struct {
		name, says string
		inside     func(admin *url.URL) string
	}{
		{"through a reserved slot", "pg_terminate_backend(", func(admin *url.URL) string {
			password, _ := admin.User.Password()
			return fmt.Sprintf("PGHOST=127.0.0.1 POSTGRES_USER=%s PGPASSWORD=%s", admin.User.Username(), password)
		}},
		{"by the titles", "SIGTERM to idle backend ", func(*url.URL) string { return "PGHOST=127.0.0.1 POSTGRES_USER=nobody_such" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pgtest.Start(t, pgserver.DisposableOptions{})
			if c.name == "by the titles" && !maySignal(s) {
				t.Skip("only root or the server's account may signal it")
			}
			db, other := s.NewDatabase(), s.NewDatabase()
			other.Open(1, "other project")
			leak, _ := db.Fill("leak")
			admin, err := url.Parse(s.AdminURL("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			port, _ := forwarder(t, "docker-proxy", fmt.Sprintf("127.0.0.1:%d", s.Port))
			fakeDocker(t, port, s.Port, c.inside(admin))
			d := deps(t, t.TempDir(), "DATABASE_URL="+strings.Replace(db.URL("connection_limit=5"), fmt.Sprintf(":%d/", s.Port), fmt.Sprintf(":%d/", port), 1))
			var said syncBuilder
			d.Progress = &said
			r, err := runbook.Cleanup(ctx, d, runbook.CleanupOptions{})
			if err != nil || !r.OK || r.Route != runbook.RouteSignal {
				t.Fatalf("%+v, %v\n%s", r, err, said.String())
			}
			if !strings.Contains(said.String(), "in container db-1 (postgres:15): "+c.says) {
				t.Errorf("it says: %s", said.String())
			}
			if r.Ended+r.Freed != len(leak) || r.Freed < 1 {
				t.Errorf("%d ended and %d freed of %d", r.Ended, r.Freed, len(leak))
			}
			if n := s.Sessions(other.Name); n != 1 {
				t.Errorf("%d of another project's 1 session left", n)
			}
		})
	}
}

func TestTheContainerBehindThePortIsWhatIsRestarted(t *testing.T) {
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	port, _ := forwarder(t, "docker-proxy", fmt.Sprintf("127.0.0.1:%d", s.Port))
	fakeDocker(t, port, s.Port, "")
	d := deps(t, project(t), "DATABASE_URL="+strings.Replace(db.URL("connection_limit=5"), fmt.Sprintf(":%d/", s.Port), fmt.Sprintf(":%d/", port), 1), "DBTASKS_PORTS="+ports(t))
	r, _, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAlways, Dry: true})
	if err != nil || r.Steps[1].Plan != "docker restart -t 60 db-1 (it runs in container db-1 (postgres:15))" {
		t.Errorf("%+v, %v", r.Steps, err)
	}
}
