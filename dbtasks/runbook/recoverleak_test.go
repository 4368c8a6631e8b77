//go:build unix

package runbook_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func init() {
	// A dev server that listens on PORT and holds every session it can get.
	reexec.Register("leaky-dev-server", func([]string) int {
		var held []*pgx.Conn // else the garbage collector closes them
		for {
			conn, err := pgx.Connect(ctx, os.Getenv("APP_URL"))
			if err != nil {
				break
			}
			held = append(held, conn)
		}
		if _, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT")); err != nil {
			return 1
		}
		fmt.Println("listening")
		<-time.After(time.Minute) // dev:recover ends it long before, or the test's clean-up
		runtime.KeepAlive(held)
		return 0
	})
}

func TestRecoverStopsThisProjectsLeakWhereNoBackendCanBeSignalled(t *testing.T) {
	t.Parallel()
	// Without titles nothing tells an idle backend from a busy one: to this
	// tool it is as if it might not signal the server.
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"update_process_title": "off"}})
	db, other := s.NewDatabase(), s.NewDatabase()
	other.Open(2, "elsewhere")
	root, port := nodeProject(t), pgtest.FreePort(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pkg := fmt.Sprintf(`{"name":"shop","scripts":{"dev":"DBTASKS_ROLE=leaky-dev-server %s"}}`, self)
	if err := os.WriteFile(filepath.Join(root, "package.json"), []byte(pkg), 0o600); err != nil {
		t.Fatal(err)
	}
	started(t, root, port, []string{"APP_URL=" + db.URL("application_name=shop")}, "npm", "run", "dev")
	fillReserved(t, s)
	before, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	d := opened(t, root, "DATABASE_URL="+db.URL("connection_limit=5"), "DBTASKS_PORTS="+strconv.Itoa(port))
	r, steps, err := recoverSteps(t, d, runbook.RecoverOptions{Restart: runbook.RestartAuto})
	if err != nil || !r.OK || steps["restart"] != "skipped" || listens(port) {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Stop.Gone < 2 || r.Test.Slots.Used > 10 { // the leak held 14 and more
		t.Errorf("stopped %d processes, %d slots still used", r.Stop.Gone, r.Test.Slots.Used)
	}
	if after, err := s.Postmaster(); err != nil || after.PID != before.PID {
		t.Errorf("the server was restarted: %v", err)
	}
	if n := s.Sessions(other.Name); n != 2 {
		t.Errorf("%d sessions of the other database, want 2", n)
	}
}
