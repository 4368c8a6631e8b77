package pgserver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheInnermostServiceOfACgroupIsTheUnit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]unit{
		"0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n":                                  {"postgresql@15-main.service", false},
		"4:memory:/x\n1:name=systemd:/system.slice/postgresql.service\n0::/system.slice/postgresql.service\n":    {"postgresql.service", false},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/homebrew.postgresql@16.service\n":            {"homebrew.postgresql@16.service", true},
		"0::/user.slice/user-1000.slice/session-3.scope\n":                                                       {},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-code-812.scope\n":                  {},
		"0::/user.slice/user-1000.slice/user@1000.service\n":                                                     {},
		"0::/system.slice/docker-4c01db0b339c4f1a2d0b7a5f6a8f0d2a6f1f1e7a9c3b5d7e9f0a1b2c3d4e5f60.scope\n0::/\n": {},
		"": {},
	} {
		if got, ok := unitOf(text); got != want || ok != (want != unit{}) {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestOnlyTheServiceOfTheFormulaOfTheExecutableIsRestartedByBrew(t *testing.T) {
	t.Parallel()
	agents := t.TempDir()
	if err := os.WriteFile(filepath.Join(agents, "homebrew.mxcl.postgresql@16.plist"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ exe, data, want string }{
		{"/opt/homebrew/Cellar/postgresql@16/16.4/bin/postgres", "/opt/homebrew/var/postgresql@16", "/opt/homebrew/bin/brew services restart postgresql@16"},
		{"/usr/local/Cellar/postgresql@16/16.4_1/bin/postgres", "/usr/local/var/postgresql@16", "/usr/local/bin/brew services restart postgresql@16"},
		{"/opt/homebrew/Cellar/postgresql@16/16.4/bin/postgres", "/Users/x/data", ""},
		{"/opt/homebrew/Cellar/postgresql@15/15.8/bin/postgres", "/opt/homebrew/var/postgresql@15", ""},
		{"/Applications/Postgres.app/Contents/Versions/16/bin/postgres", "/opt/homebrew/var/postgresql@16", ""},
	} {
		r, ok, err := brewPlan(Postmaster{DataDir: c.data}, c.exe, []string{agents})
		if err != nil || ok != (c.want != "") || r.Describe() != c.want {
			t.Errorf("%+v: %v %v %v", c, r, ok, err)
		}
	}
}

func TestASupervisorIsAskedByTheNameThatItGave(t *testing.T) {
	t.Parallel()
	around := func(env string, args ...string) surroundings {
		return surroundings{parents: []parent{{name: "sh", args: []string{"sh", "-c", "postgres"}}, {name: filepath.Base(args[0]), args: args}}, env: func() []string { return strings.Fields(env) }}
	}
	for _, c := range []struct {
		s            surroundings
		want, manual string
	}{
		{s: around("PC_REPLICA_NUM=0 PC_PROC_NAME=postgres", "/nix/store/x/bin/process-compose", "--unix-socket", "/run/pc.sock", "up"), want: "process-compose --unix-socket /run/pc.sock process restart postgres"},
		{s: around("", "process-compose", "--port=8090"), manual: "process-compose --port 8090 process restart NAME"},
		{s: around("SUPERVISOR_PROCESS_NAME=pg SUPERVISOR_GROUP_NAME=pg SUPERVISOR_SERVER_URL=unix:///var/run/supervisor.sock", "/usr/bin/python3", "/usr/bin/supervisord", "-n"), want: "supervisorctl -s unix:///var/run/supervisor.sock restart pg"},
		{s: around("SUPERVISOR_PROCESS_NAME=pg SUPERVISOR_GROUP_NAME=all", "/usr/bin/supervisord"), want: "supervisorctl restart all:pg"},
		{s: around("", "tmux", "-C", "-L", "overmind-shop-Xx1", "new-session"), manual: "overmind restart NAME"},
		{s: around("", "goreman", "start"), manual: "goreman run restart NAME"},
		{s: around("", "tmux", "new-session")},
		{s: around("", "/usr/bin/python3", "app.py")},
	} {
		r, ok, err := planSupervisor(Postmaster{}, c.s)
		var manual *ManualRestart
		if errors.As(err, &manual) != (c.manual != "") || ok != (c.want != "") || r.Describe() != c.want || manual != nil && manual.Command != c.manual {
			t.Errorf("%+v: %q %v %v", c.s.parents[1].args, r.Describe(), ok, err)
		}
	}
}

func TestAWindowsServiceIsNamedByItsPgCtl(t *testing.T) {
	t.Parallel()
	s := surroundings{parents: []parent{{name: "pg_ctl.exe", args: []string{`C:\Program Files\PostgreSQL\16\bin\pg_ctl.exe`, "runservice", "-N", "postgresql-x64-16", "-D", `C:\Program Files\PostgreSQL\16\data`, "-w"}}}}
	r, ok, err := planService(Postmaster{}, s)
	want := "powershell -NoProfile -NonInteractive -Command Restart-Service -Force -ErrorAction Stop -Name 'postgresql-x64-16'"
	if !ok || err != nil || r.Describe() != want || !strings.HasPrefix(r.Typed(), `net stop "postgresql-x64-16"`) {
		t.Errorf("%v %v %v %s", r, ok, err, r.Typed())
	}
	if _, ok, _ := planService(Postmaster{}, surroundings{parents: []parent{{args: []string{"cmd.exe"}}}}); ok {
		t.Error("a server started by hand is called a service")
	}
}

func TestAClusterIsToldByItsSettingsFile(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"/etc/postgresql/15/main/postgresql.conf": "15 main", "/etc/postgresql/15/postgresql.conf": "", "/srv/15/main/postgresql.conf": "", "": "",
	} {
		version, name, _ := clusterOf("/etc/postgresql", file)
		if got := strings.TrimSpace(version + " " + name); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if got := settingsFile([]string{"/usr/lib/postgresql/15/bin/postgres", "-D", "/d", "-c", "config_file=/etc/postgresql/15/main/postgresql.conf"}); got != "/etc/postgresql/15/main/postgresql.conf" {
		t.Errorf("%q", got)
	}
}

func TestAContainerIsTheOneThatPublishesThePort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/docker_inspect.json")
	if err != nil {
		t.Fatal(err)
	}
	list, err := publishing(string(text), 55432)
	if err != nil || len(list) != 1 || list[0].Name != "shop-db-1" || list[0].Port != 5432 || list[0].Service != "db" || list[0].Project != "shop" {
		t.Errorf("%+v, %v", list, err)
	}
	for _, port := range []int{5432, 9187} { // inside only
		if list, err := publishing(string(text), port); err != nil || len(list) != 0 {
			t.Errorf("%d: %+v, %v", port, list, err)
		}
	}
	if _, err := publishing("Cannot connect to the Docker daemon", 1); err == nil {
		t.Error("what is no JSON is taken")
	}
}
