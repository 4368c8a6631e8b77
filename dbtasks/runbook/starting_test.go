//go:build unix

package runbook_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestAServerThatIsStartingUpIsSaidToBe(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"hot_standby": "off"}})
	db := s.NewDatabase()
	// A standby that nobody may read from waits for its primary for ever, and
	// answers as a server does that replays its log.
	asServer(t, s, "touch", filepath.Join(s.DataDir, "standby.signal"))
	pm, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	asServer(t, s, filepath.Join(pm.Bin, "pg_ctl"), "restart", "-D", s.DataDir, "-m", "fast", "-W", "-s", "-l", filepath.Join(s.DataDir, "standby.log"))
	d := opened(t, project(t), "DATABASE_URL="+db.URL("connection_limit=5"))
	var f *runbook.Failure
	pgtest.Eventually(t, 10*time.Second, "it starts up", func() bool {
		_, err := d.Test(ctx, runbook.TestOptions{})
		f = runbook.AsFailure(err)
		return f != nil && (f.Code == "starting_up" || f.Code == "in_recovery")
	})
	for what, call := range map[string]func() error{
		"cleanup": func() error { _, err := d.Cleanup(ctx, runbook.CleanupOptions{}); return err },
		"who":     func() error { _, err := d.Who(ctx); return err },
	} {
		began := time.Now()
		got := runbook.AsFailure(call())
		if got == nil || got.Code != f.Code || got.Exit != runbook.ExitNotDone || time.Since(began) > 5*time.Second {
			t.Errorf("%s after %s: %+v", what, time.Since(began), got)
		}
	}
}

// asServer runs a program as the account that the server runs as.
func asServer(t *testing.T, s *pgtest.Server, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		u, err := user.Lookup(s.Account)
		if err != nil {
			t.Fatal(err)
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr != nil || gidErr != nil {
			t.Fatal(uidErr, gidErr)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}
