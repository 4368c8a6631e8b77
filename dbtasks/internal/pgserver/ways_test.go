package pgserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

func TestTheInnermostServiceOfACgroupIsTheUnit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]unit{
		"0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n":                                  {"postgresql@15-main.service", ""},
		"4:memory:/x\n1:name=systemd:/system.slice/postgresql.service\n0::/system.slice/postgresql.service\n":    {"postgresql.service", ""},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/homebrew.postgresql@16.service\n":            {"homebrew.postgresql@16.service", "1000"},
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
		s := Subject{Process: hostops.Process{Exe: c.exe}, DataDir: c.data}
		f, ok, err := brewIn(s, []string{agents})
		if err != nil || ok != (c.want != "") || ok && rowOf(WayBrew).plan(s, f).Describe() != c.want {
			t.Errorf("%+v: %v %v %v", c, f, ok, err)
		}
	}
}

// rowOf is one row of the table.
func rowOf(name string) way {
	return ways[slices.IndexFunc(ways, func(w way) bool { return w.name == name })]
}

// under is a server below these processes, each a command line.
func under(env string, lines ...string) Subject {
	s := Subject{Process: hostops.Process{Identity: hostops.Identity{PID: 900}, PPID: 899, UID: os.Geteuid()}, Environ: strings.Fields(env)}
	for i, line := range lines {
		args := strings.Fields(line)
		s.Parents = append(s.Parents, Parent{Process: hostops.Process{Identity: hostops.Identity{PID: 899 - i}, UID: os.Geteuid(), Name: programName(args[0]), Args: args, Dir: "/home/me/shop"}})
	}
	return s
}

func TestASupervisorsAddressIsItsCommandLinesThenItsEnvironmentsThenTheDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tool supervisor
		s    Subject
		want string
		dir  string
	}{
		{processComposeTool, under("", "/nix/store/x/bin/process-compose --unix-socket /run/pc.sock up"), "-u /run/pc.sock", "/home/me/shop"},
		{processComposeTool, under("PC_PORT_NUM=9000", "process-compose --port=8090"), "-p 8090", "/home/me/shop"},
		{processComposeTool, under("PC_PORT_NUM=9000", "process-compose up"), "-p 9000", "/home/me/shop"},
		{processComposeTool, under("PC_SOCKET_PATH=pc.sock", "process-compose up"), "-u /home/me/shop/pc.sock", "/home/me/shop"},
		{processComposeTool, under("", "process-compose -U"), "-u /tmp/process-compose-899.sock", "/home/me/shop"},
		{processComposeTool, under("", "process-compose"), "-p 8080", "/home/me/shop"},
		{supervisordTool, under("SUPERVISOR_SERVER_URL=unix:///var/run/supervisor.sock", "/usr/bin/python3 /usr/bin/supervisord -n -c dev.conf"), "-c /home/me/shop/dev.conf -s unix:///var/run/supervisor.sock", ""},
		{overmindTool, under("OVERMIND_SOCKET=run/o.sock", "tmux -C -L overmind-shop-Xx1 new-session"), "-s /home/me/shop/run/o.sock", "/home/me/shop"},
	} {
		if !c.tool.is(c.s.Parents[0]) {
			t.Errorf("%v is not told", c.s.Parents[0].Args)
		}
		args, dir, _ := c.tool.client(c.s, c.s.Parents[0])
		if got := strings.Join(args, " "); got != c.want || dir != c.dir {
			t.Errorf("%v: %q in %q, want %q", c.s.Parents[0].Args, got, dir, c.want)
		}
	}
}

func TestTheListsOfSupervisorsAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parse func(string) []running
		text  string
		want  []running
	}{
		"supervisorctl": {parseSupervisorStatus, "db:pg                            RUNNING   pid 4711, uptime 0:00:05\nworker                           STOPPED   Not started\n", []running{{name: "db:pg", pid: 4711}, {name: "worker"}}},
		"an error":      {parseSupervisorStatus, "unix:///var/run/supervisor.sock no such file\n", nil},
		"process list":  {parseComposeList, `[{"name":"postgres","pid":4711,"is_running":true},{"name":"web","pid":0}]`, []running{{name: "postgres", pid: 4711}, {name: "web"}}},
		"overmind ps":   {parseOvermindList, "PROCESS   PID       STATUS\ndb        4711      running\n", []running{{name: "db", pid: 4711}}},
		"pm2 jlist":     {parsePM2List, "\n>>>> In-memory PM2 is out-of-date\n" + `[{"pid":4711,"name":"db","pm_id":3}]`, []running{{name: "3", pid: 4711}}},
		"inspect":       {parseState, "abc 4711 true 2026-11-26 01:00:00.1 +0000 UTC", []running{{name: "abc", pid: 4711, started: "2026-11-26 01:00:00.1 +0000 UTC"}}},
		"in a machine":  {parseState, "abc 0 true 2026-11-26T01:00:00Z", []running{{name: "abc", pid: -1, started: "2026-11-26T01:00:00Z"}}},
		"not running":   {parseState, "abc 0 false 2026-11-26T01:00:00Z", []running{{name: "abc", started: "2026-11-26T01:00:00Z"}}},
	} {
		if got := c.parse(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestWhoseParentIsNeitherASupervisorNorAdoptedItIsNotRestartedBehindThatOnesBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s      Subject
		manual string // "": pg_ctl's turn
	}{
		{under("", "/bin/sh -c postgres", "node /home/me/shop/node_modules/.bin/concurrently postgres", "-bash"), "kill -INT 898, and when it is gone: cd /home/me/shop && node concurrently …"},
		{under("", "hivemind Procfile.dev", "-bash"), "kill -INT 899, and when it is gone: cd /home/me/shop && hivemind Procfile.dev"},
		{under("", "goreman -p 9001 start"), "cd /home/me/shop && goreman -p 9001 run restart NAME"},
		{under("", "bash ./start-db.sh"), "kill -INT 899, and when it is gone: cd /home/me/shop && bash start-db.sh"},
		{under("PG_GRANDPARENT_PID=12", "/usr/libexec/some-subreaper"), ""},
		{under("", "/lib/systemd/systemd --user"), ""},
	} {
		_, ok, err := toldUnknown(c.s)
		if manual := IsManual(err); ok || (manual != nil) != (c.manual != "") || manual != nil && manual.Command != c.manual {
			t.Errorf("%v: %v, %+v", c.s.Parents[0].Args, err, manual)
		}
	}
	typed := under("", "-bash")
	typed.Parents[0].Terminal = "/pts/3"
	if _, _, err := toldUnknown(typed); err != nil {
		t.Errorf("the shell of a terminal supervises nothing: %v", err)
	}
}

func TestSudoersEntriesAreReadAsSudoReadsThem(t *testing.T) {
	t.Parallel()
	entry := func(options, command string) string {
		return "\nSudoers entry:\n    RunAsUsers: root\n    Options: " + options + "\n    Commands:\n\t" + command + "\n"
	}
	const restart = "/usr/bin/systemctl restart postgresql@15-main.service"
	for _, c := range []struct {
		list string
		want bool
	}{
		{entry("!authenticate", "ALL"), true},
		{entry("!authenticate", restart), true},
		{entry("!authenticate", "/usr/bin/systemctl"), true},
		{entry("!authenticate", "/usr/bin/systemctl restart postgresql*"), true},
		{entry("!authenticate", "/usr/bin/systemctl restart nginx.service") + entry("", "ALL"), false},
		{entry("", "ALL") + entry("!authenticate", "/usr/bin/systemctl restart nginx.service"), false},
		{entry("", "ALL") + entry("!authenticate", restart), true},
		{entry("!authenticate", restart) + entry("", "ALL"), false}, // the last one counts
		{entry("!authenticate", "ALL") + entry("!authenticate", "!/usr/bin/systemctl"), false},
		{"\nSudoers entry:\n    RunAsUsers: www-data\n    Options: !authenticate\n    Commands:\n\tALL\n", false},
		{"", false},
	} {
		if got := withoutPassword(c.list, restart); got != c.want {
			t.Errorf("%v for %s", got, c.list)
		}
	}
}

func TestTheLastFatalIsWhyTheServerEnded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-26 UTC [1] FATAL:  the database system is shutting down\n2026-11-26 UTC [1] LOG:  x\n":                                           "",
		"2026-11-26 UTC [1] FATAL:  could not write lock file \"postmaster.pid\": No space left on device\n2026-11-26 UTC [2] LOG:  shut down\n":  `could not write lock file "postmaster.pid": No space left on device`,
		"x FATAL:  invalid value for parameter \"lc_messages\": \"de_DE.UTF-8\"\nx FATAL:  terminating connection due to administrator command\n": `invalid value for parameter "lc_messages": "de_DE.UTF-8"`,
	} {
		if got := fatalIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestAWindowsServiceIsNamedByItsPgCtl(t *testing.T) {
	t.Parallel()
	s := Subject{Parents: []Parent{{Process: hostops.Process{Args: []string{`C:\Program Files\PostgreSQL\16\bin\pg_ctl.exe`, "runservice", "-N", "postgresql-x64-16", "-D", `C:\Program Files\PostgreSQL\16\data`, "-w"}}}}}
	f, ok, err := toldService(s)
	r := rowOf(WayService).plan(s, f)
	want := "Restart-Service -Force -ErrorAction Stop -Name 'postgresql-x64-16'"
	if !ok || err != nil || r.Run.Argv[len(r.Run.Argv)-1] != want || !strings.HasPrefix(r.Typed, `net stop "postgresql-x64-16"`) {
		t.Errorf("%v %v %v %s", r, ok, err, r.Typed)
	}
	if _, ok, _ := toldService(under("", "cmd.exe")); ok {
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
