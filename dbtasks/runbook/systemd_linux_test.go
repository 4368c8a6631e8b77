package runbook_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/term"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// machineRole runs a procedure on the machine of a test: `raise N` or `recover
// POLICY`, with the settings in its environment. It prints a procedureTold.
const machineRole = "runbook-test-machine"

type procedureTold struct {
	Code, Message, Next, Progress string
	Max                           int
	Login                         runbook.Route
	Steps                         []runbook.Step
}

func init() { reexec.Register(machineRole, onThisMachine) }

func onThisMachine(args []string) int {
	var out procedureTold
	var said strings.Builder
	root := filepath.Join(os.Getenv("HOME"), "shop") // a folder that nobody else may write to
	_ = os.MkdirAll(root, 0o700)
	o := runbook.OpenOptions{Progress: &said}
	if term.IsTerminal(os.Stderr.Fd()) {
		o.Progress, o.Terminal = os.Stderr, true
	}
	d, err := runbook.OpenWith(root, o)
	switch {
	case err != nil:
	case args[0] == "raise":
		n := 0
		_, _ = fmt.Sscan(args[1], &n)
		var r runbook.LimitsReport
		if r, err = d.Limits(ctx, runbook.LimitsOptions{Raise: &n}); r.Raise != nil {
			out.Max, out.Login = r.Slots.Max, r.Raise.Login
		}
	default:
		var r runbook.RecoverReport
		r, err = d.Recover(ctx, runbook.RecoverOptions{Restart: runbook.RestartPolicy(args[1])}, func(runbook.RecoverReport) {}, func(runbook.Step) {})
		out.Steps = r.Steps
	}
	if f := runbook.AsFailure(err); f != nil {
		out.Code, out.Message, out.Next = f.Code, f.Message, f.Next
	}
	out.Progress = said.String()
	_ = json.NewEncoder(os.Stdout).Encode(out)
	return 0
}

// TestAStockDebianIsRaisedAndRecovered has the commonest install: the server is
// another account's, its unit root's, peer on the socket, no password for
// postgres, and the app logs in over TCP.
func TestAStockDebianIsRaisedAndRecovered(t *testing.T) {
	m := systemdtest.Start(t)
	unit := "postgresql@" + m.Version(t) + "-main.service"
	m.Run(t, "systemctl", "start", unit)
	m.Run(t, "runuser", "-u", "postgres", "--", "sh", "-c", `cd /; psql -qc "create role app login password 'secret'" -c "create database shop owner app"`)
	run := func(user string, args ...string) procedureTold {
		t.Helper()
		command := "cd /; DATABASE_URL='postgresql://app:secret@localhost/shop?connection_limit=5' DBTASKS_PORTS=4999 DBTASKS_ROLE=" + machineRole + " " + systemdtest.Program + " " + strings.Join(args, " ")
		as := func() (string, error) { return m.As(user, command) }
		if user == "" {
			as = func() (string, error) { return m.Try("sh", "-c", command) }
		}
		text, err := as()
		var out procedureTold
		if i := strings.LastIndex(text, `{"Code"`); err != nil || i < 0 || json.Unmarshal([]byte(text[i:]), &out) != nil {
			t.Fatalf("%s, %v", text, err)
		}
		return out
	}
	main := func() string { return m.Run(t, "systemctl", "show", "-p", "MainPID", "--value", unit) }
	before := main()
	if out := run("", "raise", "123"); out.Code != "" || out.Max != 123 || out.Login != runbook.RouteLocalSuperuser || main() == before {
		t.Errorf("root: %+v", out)
	}
	before = main()
	if out := run("free", "raise", "130"); out.Code != "not_permitted" || main() != before { // sudo is no superuser
		t.Errorf("free: %+v", out)
	}
	if out := run("password", "recover", "always"); out.Code != "no_restart" || !strings.HasPrefix(out.Next, "sudo systemctl restart "+unit) || main() != before || len(out.Steps) != 0 {
		t.Errorf("password: %+v", out)
	}
	if out := run("plain", "recover", "always"); out.Code != "no_restart" || !strings.Contains(out.Next, "ask whoever is root here to run: systemctl restart "+unit) || main() != before {
		t.Errorf("plain: %+v", out)
	}
	if out := run("free", "recover", "always"); out.Code != "" || main() == before {
		t.Errorf("free: %+v", out)
	}
	if state := m.Run(t, "systemctl", "is-active", unit); state != "active" {
		t.Errorf("the unit is %s", state)
	}
}
