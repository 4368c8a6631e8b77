package pgserver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// TestARestartKeepsTheEnvironmentOfTheStart has a server whose locale comes
// from LOCPATH, as from LOCALE_ARCHIVE in a Nix shell, and restarts it from an
// environment that has none.
func TestARestartKeepsTheEnvironmentOfTheStart(t *testing.T) {
	locales := t.TempDir()
	if err := os.Chmod(filepath.Dir(locales), 0o755); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(locales, "de_DE.UTF-8")
	if out, err := exec.Command("localedef", "-i", "de_DE", "-f", "UTF-8", made).CombinedOutput(); err != nil {
		if _, missing := os.Stat(made); missing != nil {
			t.Skipf("no locale can be made here (localedef, package locales): %v: %s", err, out)
		}
	}
	known, _ := filepath.Glob("/usr/lib/locale/*")
	for _, path := range known { // LOCPATH is where glibc looks, and nowhere else
		_ = os.Symlink(path, filepath.Join(locales, filepath.Base(path)))
	}
	t.Setenv("LOCPATH", locales)
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"lc_messages": "de_DE.UTF-8"}})
	_ = os.Unsetenv("LOCPATH")
	before, err := s.Postmaster()
	if err != nil {
		t.Skip("only root or the server's account may restart it: ", err)
	}
	plan, err := pgserver.PlanRestart(subject(t, before.PID), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Check(); err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var messages string
	if err := s.Admin("postgres").QueryRow(t.Context(), "SHOW lc_messages").Scan(&messages); err != nil || messages != "de_DE.UTF-8" {
		t.Errorf("lc_messages is %q, %v", messages, err)
	}
	// A command of the user's that loses it: what the plan knows brings the server back.
	lost, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	as := ""
	if os.Geteuid() == 0 {
		as = "runuser -u " + s.Account + " -- "
	}
	pgCtl := filepath.Join(pgtest.Binaries(t).Dir, "pg_ctl")
	plan, err = pgserver.PlanRestart(subject(t, lost.PID), "cd /; env -u LOCPATH "+as+pgCtl+" restart -w -s -m fast -D '"+s.DataDir+"' -l /dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if now, err := s.Postmaster(); err != nil || now.PID == lost.PID {
		t.Errorf("%+v, %v", now, err)
	}
}
