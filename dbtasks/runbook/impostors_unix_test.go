//go:build unix

package runbook_test

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// heldBySleep is a session with an application_name whose client is a process
// of another program: this process logs in and hands its socket over.
func heldBySleep(t *testing.T, db pgtest.Database, application string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, db.URL("sslmode=disable", "application_name="+application))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.PgConn().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	file, err := raw.Conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "120")
	cmd.Stdin, cmd.Dir = file, "/" // of no project
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	_ = file.Close()
	_ = raw.Conn.Close()
}

func TestALeakWithTheToolsNameIsNoRunOfTheTool(t *testing.T) {
	t.Parallel()
	for _, force := range []bool{false, true} {
		s := pgtest.Start(t, pgserver.DisposableOptions{MaxConnections: 30})
		db := s.NewDatabase()
		for range 3 {
			heldBySleep(t, db, pgops.ApplicationName)
		}
		watched := make(chan runbook.MonitorReport, 1)
		started := make(chan struct{}, 100)
		go func() {
			r, _ := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=2")).Monitor(ctx,
				runbook.MonitorOptions{Every: 100 * time.Millisecond, For: 3 * time.Second}, func(runbook.MonitorSample) { started <- struct{}{} })
			watched <- r
		}()
		<-started
		r, err := opened(t, t.TempDir(), "DATABASE_URL="+db.URL("connection_limit=2")).Cleanup(ctx, runbook.CleanupOptions{Force: force})
		if err != nil || r.Ended != 3 || len(r.Spared) != 1 || r.Spared[0].Verdict != pgops.VerdictTool {
			t.Errorf("force %t: ended %d, spared %v, %v; want the leak's 3 ended, and the monitor spared", force, r.Ended, r.Spared, err)
		}
		if m := <-watched; m.Lost > 0 || m.Logins != 1 {
			t.Errorf("force %t: the monitor lost its session: %+v", force, m)
		}
	}
}
