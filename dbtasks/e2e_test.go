package dbtasks

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestThreeTargetsOfOneCallUseOneSession(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"log_connections": "on"}})
	db := s.NewDatabase()
	db.Open(2, "leak")
	o := runIn(t, t.TempDir(), []string{"DATABASE_URL=" + db.URL("connection_limit=5")}, "db:test", "db:cleanup", "db:monitor", "-every=50ms", "-for=300ms")
	if o.code != 0 {
		t.Fatal(o)
	}
	logins := 0
	for line := range strings.Lines(s.LogTail(1000)) {
		if strings.Contains(line, "connection authorized: user="+db.Role) && strings.Contains(line, "application_name=dbtasks") {
			logins++
		}
	}
	if logins != 1 {
		t.Errorf("the server saw %d logins of the tool, want 1\n%s", logins, s.LogTail(1000))
	}
	pgtest.Eventually(t, 2*time.Second, "no session is left when the run is over", func() bool { return s.Sessions(db.Name) == 0 })
}

func TestExitCodesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	url := db.URL("connection_limit=5")
	dir := t.TempDir()
	for _, c := range []struct {
		what string
		url  string
		args string
		code int
		says string
	}{
		{"done", url, "db:test", 0, "OK: logged in"},
		{"not done", s.URL(db.Role, "wrong", db.Name, "connection_limit=5"), "db:test", 1, "wrong or expired password"},
		{"warned", url, "db:monitor -once -warn=0", 0, "sessions of this database"},
		{"no limit", db.URL(), "db:test", 2, "carries no pool limit"},
		{"limit zero", db.URL("connection_limit=0"), "db:cleanup", 2, "connection_limit"},
		{"limit not a number", db.URL("connection_limit=many"), "db:monitor -once", 2, "connection_limit"},
		{"limit too high", db.URL("connection_limit=1000"), "db:cleanup -force", 2, "connection_limit=5"},
		{"not a PostgreSQL URL", "mysql://a:b@localhost/x", "db:test", 2, "postgresql://"},
		{"bad flag value", url, "db:monitor -every=-1s -once", 2, "-every"},
		{"stray value", url, "db:cleanup -force false", 2, "nothing was touched"},
		{"unknown flag", url, "db:cleanup --force", 2, "force"},
		{"another machine", "postgresql://app:hunter2@192.0.2.1/shop?connection_limit=5&connect_timeout=1", "dev:recover", 3, "192.0.2.1"},
		{"bad restart policy", url, "dev:recover -restart=maybe", 2, "auto, always or never"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			o := runIn(t, dir, []string{"DATABASE_URL=" + c.url, "DBTASKS_DEV_COMMAND=true"}, strings.Fields(c.args)...)
			if o.code != c.code || !strings.Contains(o.stdout+o.stderr, c.says) {
				t.Errorf("want exit %d and %q, got %s", c.code, c.says, o)
			}
			if strings.Contains(o.stdout+o.stderr, db.Password) || strings.Contains(o.stdout+o.stderr, "hunter2") {
				t.Errorf("the password is shown: %s", o)
			}
		})
	}
}

func TestASettingsErrorNamesTheFileTheLineAndWhatToWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("# shop\nDATABASE_URL=postgresql://app:hunter2@localhost:5432/shop?schema=public\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runIn(t, dir, nil, "db:cleanup", "-json")
	want := "postgresql://app:***@localhost:5432/shop?schema=public&options=-c%20dbtasks.pool_limit%3D5" // which every driver survives
	if o.code != 2 || !strings.Contains(o.stderr, want) || !strings.Contains(o.stderr, ".env, line 2") || strings.Contains(o.stderr+o.stdout, "hunter2") {
		t.Errorf("want %s, got %s", want, o)
	}
	if got := decode(t, o.stdout); got["ok"] != false || got["error"] != "settings" || !strings.Contains(fmt.Sprint(got["next"]), want) {
		t.Errorf("%v", got)
	}
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("standard output is not one JSON object: %v\n%s", err, text)
	}
	return got
}

// fields are the top-level fields of each target's JSON, as docs/targets.md has them.
var fields = map[string]string{
	"db:test -json":               "ok address target route version pooler login_ms latency_ms slots usable free pool_limit in_recovery",
	"db:cleanup -json":            "ok dry force cancel target route found plan ended freed spared refused hidden left_over came_back holders in_use_by came_back_by slots usable free elapsed_ms",
	"db:monitor -once -json":      "ok time sessions idle active idle_in_transaction other slots groups used usable percent refused",
	"db:limits -json":             "ok target route version slots usable free role_limits database_limits timeouts pool_limit sources processes wanted available memory advice",
	"db:who -json":                "ok target route slots usable free sources sessions blockers",
	"dev:check -json":             "ok root wrong cant_tell items clients no_client files took_ms",
	"dev:stop -dry -json":         "ok dry root plan gone left came_back spared not_judged holders databases took_ms",
	"db:test -json -wait=1ms bad": "ok error message details next",
}

func TestTheFieldsOfTheJSONAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("docs/targets.md")
	if err != nil {
		t.Fatal(err)
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	db.Open(2, "leak")
	for args, want := range fields {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			url := db.URL("connection_limit=5")
			if bad := strings.TrimSuffix(args, " bad"); bad != args {
				args, url = bad, s.URL(db.Role, "wrong", db.Name, "connection_limit=5")
			}
			o := runIn(t, t.TempDir(), []string{"DATABASE_URL=" + url}, strings.Fields(args)...)
			got := slices.Sorted(maps.Keys(decode(t, o.stdout)))
			wanted := strings.Fields(want)
			slices.Sort(wanted)
			if !slices.Equal(got, wanted) {
				t.Errorf("fields %q, want %q", got, wanted)
			}
			for _, name := range wanted {
				if !strings.Contains(string(readme), "`"+name+"`") {
					t.Errorf("docs/targets.md does not list `%s`", name)
				}
			}
		})
	}
}

func TestForceOfNpmRunCountsWhenItStoodOnThatCommandLine(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not here")
	}
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	tx := db.Open(2, "migration")
	for _, c := range tx {
		if _, err := c.Exec(t.Context(), "BEGIN; SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	pkg, err := json.Marshal(map[string]any{"name": "shop", "scripts": map[string]string{"db:cleanup": binary(t) + " db:cleanup -json", "outer": "npm run db:cleanup"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), pkg, 0o600); err != nil {
		t.Fatal(err)
	}
	npm := func(extra []string, args ...string) map[string]any {
		t.Helper()
		cmd := exec.Command("npm", append([]string{"--silent"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(append(withoutSettings(os.Environ()), "DATABASE_URL="+db.URL("connection_limit=5"), "npm_config_update_notifier=false"), extra...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("npm %v: %v\n%s%s", args, err, out, stderr.String())
		}
		return decode(t, string(out))
	}
	if got := npm(nil, "run", "db:cleanup"); got["force"] != false || got["ended"] != 0.0 {
		t.Errorf("bare: %v", got)
	}
	if got := npm([]string{"npm_config_force=true"}, "run", "db:cleanup"); got["force"] != false {
		t.Errorf("from the environment: %v", got)
	}
	if got := npm(nil, "run", "outer", "--force"); got["force"] != false {
		t.Errorf("--force of another npm run further up: %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte("force=true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := npm(nil, "run", "db:cleanup"); got["force"] != false {
		t.Errorf("from .npmrc: %v", got)
	}
	if err := os.Remove(filepath.Join(dir, ".npmrc")); err != nil {
		t.Fatal(err)
	}
	if got := npm(nil, "run", "db:cleanup", "--force"); got["force"] != true || got["ended"] != 2.0 {
		t.Errorf("on the command line: %v", got)
	}
}
