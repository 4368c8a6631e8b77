//go:build linux

package systemdtest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
)

func TestMain(m *testing.M) {
	reexec.Run()
	code := m.Run()
	systemdtest.Stop()
	os.Exit(code)
}

func TestAStockDebianRunsItsClusterUnderItsUnit(t *testing.T) {
	m := systemdtest.Start(t)
	unit := "postgresql@" + m.Version(t) + "-main.service"
	if state := m.Run(t, "systemctl", "is-active", unit); state != "active" {
		t.Errorf("%s is %s", unit, state)
	}
	for user, want := range map[string]string{"plain": "may not run sudo", "password": "a password is required", "free": ""} {
		out, err := m.As(user, "id -un; sudo -n true")
		if !strings.HasPrefix(out, user) || (err == nil) != (want == "") || want != "" && !strings.Contains(out, "password is required") {
			t.Errorf("%s: %s, %v", user, out, err)
		}
	}
	if out, err := m.As("linger", "systemctl --user is-active default.target"); err != nil || out != "active" {
		t.Errorf("the lingering user's systemd: %s, %v", out, err)
	}
}
