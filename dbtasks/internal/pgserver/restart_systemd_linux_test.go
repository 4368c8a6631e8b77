package pgserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
)

// onMachine runs the restarter as a user of the machine; "" is its root.
func onMachine(t *testing.T, m *systemdtest.Machine, user string, args ...string) told {
	t.Helper()
	command := "DBTASKS_ROLE=" + restarterRole + " " + systemdtest.Program
	for _, arg := range args {
		command += " '" + arg + "'"
	}
	var text string
	var err error
	if user == "" {
		text, err = m.Try("sh", "-c", command)
	} else {
		text, err = m.As(user, command)
	}
	return parseTold(t, text, err)
}

func parseTold(t *testing.T, text string, err error) told {
	t.Helper()
	var out told
	if i := strings.LastIndex(text, `{"Way"`); err != nil || i < 0 || json.Unmarshal([]byte(text[i:]), &out) != nil {
		t.Fatalf("the restarter said %s, %v", text, err)
	}
	return out
}

// pidOf is the postmaster of a data directory of the machine.
func pidOf(t *testing.T, m *systemdtest.Machine, data string) string {
	t.Helper()
	var pid string
	pgtest.Eventually(t, 20*time.Second, "the server of "+data+" is ready", func() bool {
		text, err := m.Try("cat", data+"/postmaster.pid")
		lines := strings.Split(text, "\n")
		if err != nil || len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
			return false
		}
		pid = lines[0]
		return true
	})
	return pid
}

func unitState(m *systemdtest.Machine, unit string) (state string, main string) {
	state, _ = m.Try("systemctl", "show", "-p", "ActiveState", "--value", unit)
	main, _ = m.Try("systemctl", "show", "-p", "MainPID", "--value", unit)
	return state, main
}

// serverOnMachine makes a data directory owned by an account of the machine.
func serverOnMachine(t *testing.T, m *systemdtest.Machine, account, name string, port int) (data, bin string) {
	t.Helper()
	bin = "/usr/lib/postgresql/" + m.Version(t) + "/bin"
	data = "/srv/" + name
	m.Run(t, "install", "-d", "-o", account, "-m", "700", data)
	m.Run(t, "runuser", "-u", account, "--", bin+"/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
	m.Put(t, data+"/postgresql.auto.conf", fmt.Sprintf("port = %d\nunix_socket_directories = '/tmp'\nfsync = off\nmax_connections = 20\n", port), 0o600)
	m.Run(t, "chown", account, data+"/postgresql.auto.conf")
	return data, bin
}

// TestOnSystemd is one machine with what people have on theirs.
func TestOnSystemd(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a machine")
	}
	m := systemdtest.Start(t)
	t.Run("the stock cluster, by who asks", func(t *testing.T) { stockCluster(t, m) })
	t.Run("each kind of unit is restarted by systemd", func(t *testing.T) { kindsOfUnits(t, m) })
	t.Run("a user's own unit", func(t *testing.T) { ownUnit(t, m) })
	t.Run("a start limit does not leave a mended server down", func(t *testing.T) { startLimit(t, m) })
	t.Run("a command behind systemd's back is not called done", func(t *testing.T) { behindItsBack(t, m) })
	t.Run("supervisord, root's and one's own", func(t *testing.T) { supervisord(t, m) })
	t.Run("a disk that fills between stop and start", func(t *testing.T) { diskFills(t, m) })
}

func stockCluster(t *testing.T, m *systemdtest.Machine) {
	version := m.Version(t)
	unit, data := "postgresql@"+version+"-main.service", "/var/lib/postgresql/"+version+"/main"
	for _, c := range []struct {
		user, describe, typed, who, why string
	}{
		{user: "", describe: "systemctl restart " + unit},
		{user: "free", describe: "sudo -n systemctl restart " + unit},
		{user: "one", describe: "sudo -n systemctl restart " + unit},
		{user: "password", typed: "sudo systemctl restart " + unit, why: "sudo wants a password"},
		{user: "plain", typed: "systemctl restart " + unit, who: "root", why: "may not use sudo"},
	} {
		before := pidOf(t, m, data)
		out := onMachine(t, m, c.user, "apply", before)
		state, after := unitState(m, unit)
		if state != "active" {
			t.Fatalf("%q: the unit is %s: %s", c.user, state, out)
		}
		if c.describe != "" {
			if out.Describe != c.describe || out.Planned+out.Applied != "" || after == before {
				t.Errorf("%q: main process %s, then %s: %s", c.user, before, after, out)
			}
			continue
		}
		if out.Manual == nil || out.Manual.Command != c.typed || out.Manual.Who != c.who || !strings.Contains(out.Manual.Why, c.why) || after != before {
			t.Errorf("%q: main process %s, then %s: %s", c.user, before, after, out)
		}
	}
	// A right that is withdrawn between the plan and the act: nothing is stopped.
	before := pidOf(t, m, data)
	m.Run(t, "sh", "-c", "mv /etc/sudoers.d/tests /root/; printf 'one ALL=(ALL) ALL\\n' >/etc/sudoers.d/less")
	defer m.Run(t, "sh", "-c", "mv /root/tests /etc/sudoers.d/; rm /etc/sudoers.d/less")
	if out := onMachine(t, m, "one", "apply", before); out.Manual == nil || pidOf(t, m, data) != before {
		t.Errorf("without the right: %s", out)
	}
}

func kindsOfUnits(t *testing.T, m *systemdtest.Machine) {
	for i, c := range []struct{ name, unit string }{
		{"notify", "[Service]\nType=notify\nUser=postgres\nExecStart=%[2]s/postgres -D %[1]s\nKillMode=mixed\nKillSignal=SIGINT\n"},
		{"forking", "[Service]\nType=forking\nUser=postgres\nExecStart=%[2]s/pg_ctl start -w -D %[1]s -l %[1]s/log\nExecStop=%[2]s/pg_ctl stop -m fast -D %[1]s\n"},
		{"wrapper", "[Service]\nUser=postgres\nKillSignal=SIGINT\nExecStart=/bin/sh -c '%[2]s/postgres -D %[1]s; echo ended'\n"},
		{"script", "[Service]\nUser=postgres\nExecStart=/usr/local/bin/start-script\nExecStop=%[2]s/pg_ctl stop -m fast -D %[1]s\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, bin := serverOnMachine(t, m, "postgres", c.name, 6100+i)
			m.Put(t, "/usr/local/bin/start-"+c.name, fmt.Sprintf("#!/bin/sh\n%s/pg_ctl start -w -D %s -l %[2]s/log\nwhile %[1]s/pg_ctl status -D %[2]s >/dev/null; do sleep 1; done\n", bin, data), 0o755)
			unit := "pg-" + c.name + ".service"
			m.Put(t, "/etc/systemd/system/"+unit, fmt.Sprintf(c.unit, data, bin), 0o644)
			m.Run(t, "systemctl", "daemon-reload")
			m.Run(t, "systemctl", "start", unit)
			defer func() { _, _ = m.Try("systemctl", "stop", unit) }()
			before := pidOf(t, m, data)
			out := onMachine(t, m, "", "apply", before)
			after := pidOf(t, m, data)
			state, _ := unitState(m, unit)
			cgroup := m.Run(t, "cat", "/proc/"+after+"/cgroup")
			if out.Describe != "systemctl restart "+unit || out.Planned+out.Checked+out.Applied != "" || before == after || state != "active" || !strings.Contains(cgroup, unit) {
				t.Errorf("pid %s, then %s; the unit is %s: %s", before, after, state, out)
			}
			if out.From != "/etc/systemd/system/"+unit {
				t.Errorf("its command line stands in %q", out.From)
			}
		})
	}
}

func ownUnit(t *testing.T, m *systemdtest.Machine) {
	data, bin := serverOnMachine(t, m, "linger", "linger", 6110)
	m.Put(t, "/home/linger/.config/systemd/user/pg.service", fmt.Sprintf("[Service]\nType=notify\nExecStart=%s/postgres -D %s\nKillSignal=SIGINT\n", bin, data), 0o644)
	m.Run(t, "chown", "-R", "linger", "/home/linger/.config")
	if out, err := m.As("linger", "systemctl --user daemon-reload && systemctl --user start pg"); err != nil {
		t.Fatal(out, err)
	}
	defer func() { _, _ = m.As("linger", "systemctl --user stop pg") }()
	for _, c := range []struct{ user, typed, who string }{
		{user: "linger"}, {user: ""},
		{user: "free", typed: "sudo systemctl --user -M linger@ restart pg.service"},
	} {
		before := pidOf(t, m, data)
		out := onMachine(t, m, c.user, "apply", before)
		after := pidOf(t, m, data)
		if c.typed == "" && (out.Way != pgserver.WaySystemd || out.Planned+out.Applied != "" || before == after) ||
			c.typed != "" && (out.Manual == nil || out.Manual.Command != c.typed || before != after) {
			t.Errorf("%q: pid %s, then %s: %s", c.user, before, after, out)
		}
		if state, err := m.As("linger", "systemctl --user is-active pg"); err != nil {
			t.Errorf("%q: the unit is %s", c.user, state)
		}
	}
	before := pidOf(t, m, data)
	text, err := m.Try("runuser", "-u", "linger", "--", "env", "-u", "XDG_RUNTIME_DIR", "-u", "DBUS_SESSION_BUS_ADDRESS", "DBTASKS_ROLE="+restarterRole, systemdtest.Program, "apply", before)
	if out := parseTold(t, text, err); out.Applied+out.Planned != "" || pidOf(t, m, data) == before || !strings.HasPrefix(out.Typed, "XDG_RUNTIME_DIR=/run/user/") {
		t.Errorf("without XDG_RUNTIME_DIR: %s", out)
	}
	if said, err := m.Try("runuser", "-u", "linger", "--", "sh", "-c", "unset DBUS_SESSION_BUS_ADDRESS; "+parseTold(t, text, err).Typed); err != nil {
		t.Errorf("what is typed: %s, %v", said, err)
	}
}

// startLimit breaks the settings of a unit that starts again by itself, as a
// -raise that the machine can't bear does, mends them, and brings it back: as
// root, and as one whose sudo allows the restart alone.
func startLimit(t *testing.T, m *systemdtest.Machine) {
	data, bin := serverOnMachine(t, m, "postgres", "limit", 6120)
	unit := "pg-limit.service"
	m.Put(t, "/etc/systemd/system/"+unit, fmt.Sprintf("[Unit]\nStartLimitIntervalSec=10\nStartLimitBurst=3\n[Service]\nType=notify\nUser=postgres\nExecStart=%s/postgres -D %s\nKillSignal=SIGINT\nRestart=on-failure\nRestartSec=50ms\n", bin, data), 0o644)
	m.Put(t, "/etc/sudoers.d/zz-limit", "one ALL=(root) NOPASSWD: /usr/bin/systemctl restart "+unit+"\n", 0o440)
	m.Run(t, "systemctl", "daemon-reload")
	m.Run(t, "systemctl", "start", unit)
	defer func() { _, _ = m.Try("systemctl", "stop", unit) }()
	for _, user := range []string{"", "one"} {
		before := pidOf(t, m, data)
		good := m.Run(t, "cat", data+"/postgresql.auto.conf")
		broken := good + "\nmax_connections = 200000\nhuge_pages = on\n"
		command := "DBTASKS_ROLE=" + restarterRole + " " + systemdtest.Program + " again " + before
		cmd := m.Command("sh", "-c", command)
		if user != "" {
			cmd = m.Command("runuser", "-u", user, "--", "sh", "-c", command)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out lockedBuffer
		cmd.Stdout, cmd.Stderr = &out, &out
		m.Run(t, "sh", "-c", fmt.Sprintf("cat >%s/postgresql.auto.conf <<'X'\n%s\nX", data, broken))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		pgtest.Eventually(t, 20*time.Second, "it is said that the server is down", func() bool { return strings.Contains(out.String(), "down\n") || len(ended) > 0 })
		if state, _ := unitState(m, unit); state == "active" {
			t.Errorf("%q: the broken server runs: %s", user, out.String())
		}
		m.Run(t, "sh", "-c", fmt.Sprintf("cat >%s/postgresql.auto.conf <<'X'\n%s\nX", data, good))
		_, _ = io.WriteString(in, "mended")
		_ = in.Close()
		if err := <-ended; err != nil {
			t.Fatal(err, out.String())
		}
		told := parseTold(t, out.String(), nil)
		if state, _ := unitState(m, unit); state != "active" || told.Applied != "" || told.Back != "systemctl reset-failed "+unit+"; systemctl start "+unit && user == "" {
			t.Errorf("%q: the unit is %s: %s", user, state, told)
		}
		pidOf(t, m, data)
	}
}

func behindItsBack(t *testing.T, m *systemdtest.Machine) {
	data, bin := serverOnMachine(t, m, "postgres", "back", 6130)
	unit := "pg-back.service"
	m.Put(t, "/etc/systemd/system/"+unit, fmt.Sprintf("[Service]\nType=notify\nUser=postgres\nExecStart=%s/postgres -D %s\nKillSignal=SIGINT\nMemoryMax=300M\n", bin, data), 0o644)
	m.Run(t, "systemctl", "daemon-reload")
	m.Run(t, "systemctl", "start", unit)
	before := pidOf(t, m, data)
	if out := onMachine(t, m, "", "apply", before, "true"); out.State != pgserver.StateSame || pidOf(t, m, data) != before {
		t.Errorf("a command that does nothing: %s", out)
	}
	pgCtl := fmt.Sprintf("cd /; runuser -u postgres -- %s/pg_ctl restart -m fast -w -s -D %s -l /tmp/back.log", bin, data)
	out := onMachine(t, m, "", "apply", before, pgCtl)
	if state, _ := unitState(m, unit); out.State != pgserver.StateOutside || state == "active" || !strings.Contains(out.Applied, unit) {
		t.Errorf("the unit is %s: %s", state, out)
	}
	m.Run(t, "runuser", "-u", "postgres", "--", bin+"/pg_ctl", "stop", "-m", "fast", "-D", data)
	m.Run(t, "systemctl", "start", unit)
	// The user's command stops it and dies: what runs it brings it back.
	before = pidOf(t, m, data)
	out = onMachine(t, m, "", "apply", before, "systemctl stop "+unit+"; exit 7")
	if state, _ := unitState(m, unit); state != "active" || out.Applied != "" || !strings.Contains(out.Said, "brought back") {
		t.Errorf("the unit is %s: %s", state, out)
	}
	m.Run(t, "systemctl", "stop", unit)
}

func supervisord(t *testing.T, m *systemdtest.Machine) {
	data, bin := serverOnMachine(t, m, "postgres", "super", 6140)
	m.Put(t, "/etc/supervisor/conf.d/pg.conf", fmt.Sprintf("[program:pg]\ncommand=%s/postgres -D %s\nuser=postgres\nstopsignal=INT\n", bin, data), 0o644)
	m.Run(t, "supervisord", "-c", "/etc/supervisor/supervisord.conf")
	defer func() { _, _ = m.Try("supervisorctl", "shutdown") }()
	for _, c := range []struct{ user, describe, who string }{
		{user: "", describe: "restart pg"},
		{user: "free", describe: "sudo -n /usr/bin/supervisorctl -c /etc/supervisor/supervisord.conf restart pg"},
		{user: "plain", who: "root"},
		{user: "password"},
	} {
		before := pidOf(t, m, data)
		out := onMachine(t, m, c.user, "apply", before)
		after := pidOf(t, m, data)
		if c.describe != "" && (out.Way != pgserver.WaySupervisord || !strings.HasSuffix(out.Describe, c.describe) || out.Planned+out.Applied != "" || before == after) ||
			c.describe == "" && (out.Manual == nil || out.Manual.Who != c.who || before != after) {
			t.Errorf("%q: pid %s, then %s: %s", c.user, before, after, out)
		}
	}
	own, _ := serverOnMachine(t, m, "plain", "own", 6141)
	conf := "[unix_http_server]\nfile=/home/plain/s.sock\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n[supervisord]\nlogfile=/home/plain/s.log\npidfile=/home/plain/s.pid\n[supervisorctl]\nserverurl=unix:///home/plain/s.sock\n[program:db]\ncommand=%s/postgres -D %s\nstopsignal=INT\n"
	m.Put(t, "/home/plain/dev.conf", fmt.Sprintf(conf, bin, own), 0o644)
	m.Run(t, "runuser", "-u", "plain", "--", "sh", "-c", "cd && exec supervisord -c dev.conf")
	defer func() {
		_, _ = m.Try("runuser", "-u", "plain", "--", "supervisorctl", "-c", "/home/plain/dev.conf", "shutdown")
	}()
	for _, user := range []string{"plain", ""} { // root becomes the account for it
		before := pidOf(t, m, own)
		out := onMachine(t, m, user, "apply", before)
		if after := pidOf(t, m, own); out.Way != pgserver.WaySupervisord || out.Planned+out.Applied != "" || after == before || user == "" && !strings.HasPrefix(out.Describe, "as plain: ") {
			t.Errorf("%q: pid %s, then %s: %s", user, before, after, out)
		}
	}
}
