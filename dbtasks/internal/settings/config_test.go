package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestTheDefaultsOfAnEmptyProject(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	if !slices.Equal(c.Ports, Ports{{3000, 3015}}) || c.Warn != 10 || c.DevCommand+c.TestCommand+c.RestartCommand != "" {
		t.Errorf("ports %v, warn %d, commands %q %q %q", c.Ports, c.Warn, c.DevCommand, c.TestCommand, c.RestartCommand)
	}
	if bin, err := c.Binaries(); bin != "" || err != nil {
		t.Errorf("DBTASKS_PG_BIN, not set, is %q, %v", bin, err)
	}
	for name, get := range map[string]func() (*URL, error){"DIRECT_URL": c.Direct, "DBTASKS_ADMIN_URL": c.Admin} {
		if u, err := get(); u != nil || err != nil {
			t.Errorf("%s, not set, is %v, %v", name, u, err)
		}
	}
}

func TestAZeroConfigHasNoSettings(t *testing.T) {
	t.Parallel()
	c := &Config{}
	if u, err := c.Direct(); u != nil || err != nil || c.Origin("PATH") != (Origin{}) {
		t.Errorf("it has %v, %v, %v", u, err, c.Origin("PATH"))
	}
	if _, err := c.Database(); err == nil {
		t.Error("it has a DATABASE_URL")
	}
}

func TestPlainSettingsAreReadFromEnv(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, program := range []string{"postgres", "initdb", "pg_ctl"} {
		name := filepath.Join(bin, program)
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		if err := os.WriteFile(name, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := load(t, "DBTASKS_DEV_COMMAND=pnpm dev --host\nDBTASKS_TEST_COMMAND='npm test'\nDBTASKS_PORTS=5173\nDBTASKS_WARN=25\n"+
		"DBTASKS_RESTART_COMMAND=\"brew services restart postgresql@17\"\nDBTASKS_PG_BIN='"+bin+"'\n")
	found, err := c.Binaries()
	if err != nil {
		t.Error(err)
	}
	got := []any{c.DevCommand, c.TestCommand, c.Ports.String(), c.Warn, c.RestartCommand, found}
	want := []any{"pnpm dev --host", "npm test", "5173", 25, "brew services restart postgresql@17", bin}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPortsAreAPortOrARange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Ports{
		"3000": {{3000, 3000}}, "3000-3015": {{3000, 3015}}, " 1 - 65535 ": {{1, 65535}}, "8080-8080": {{8080, 8080}},
		"3000,3001": {{3000, 3000}, {3001, 3001}}, "3000-3003, 5173,4321": {{3000, 3003}, {5173, 5173}, {4321, 4321}},
		"0": nil, "3015-3000": nil, "65536": nil, "x": nil, "-": nil, "3000-": nil, "-3000": nil, "3000,": nil, "": nil,
	} {
		ports, ok := parsePorts(text)
		if ok != (want != nil) || !slices.Equal(ports, want) {
			t.Errorf("%q gives %v, %v", text, ports, ok)
		}
	}
}

func TestWrongPlainSettingsNameVariableFileLineAndWhatToWrite(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]SettingError{
		"DBTASKS_PORTS=3015-3000":     {Variable: PortsVar, Write: "DBTASKS_PORTS=3000-3015"},
		"DBTASKS_WARN=many":           {Variable: WarnVar, Write: "DBTASKS_WARN=10"},
		"DBTASKS_WARN=-1":             {Variable: WarnVar, Write: "DBTASKS_WARN=10"},
		"DBTASKS_PG_BIN=/no/such/bin": {Variable: PGBinVar, Write: "DBTASKS_PG_BIN=/usr/lib/postgresql/17/bin"},
		"DBTASKS_PG_BIN=package.json": {Variable: PGBinVar, Write: "DBTASKS_PG_BIN=/usr/lib/postgresql/17/bin"},
		"DBTASKS_PG_BIN=.":            {Variable: PGBinVar, Write: "DBTASKS_PG_BIN=/usr/lib/postgresql/17/bin"},
	} {
		dir := project(t, map[string]string{".env": "\n" + env})
		c, err := Load(dir, nil)
		if err == nil { // what the rest does not need is refused where it is asked for
			_, err = c.Binaries()
		}
		if err == nil {
			_, err = c.Database()
		}
		e := settingError(t, err)
		if e.Variable != want.Variable || e.Write != want.Write || e.File != filepath.Join(dir, ".env") || e.Line != 2 {
			t.Errorf("%s: %+v", env, e)
		}
		for _, part := range []string{want.Variable, e.File, "line 2", want.Write} {
			wantContains(t, err.Error(), part)
		}
	}
}

func TestTheListOfPortsIsInTheOrderWrittenAndTellsWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	ports, _ := parsePorts("5173,3000-3002,3001")
	if !slices.Equal(ports.All(), []int{5173, 3000, 3001, 3002}) || ports.First() != 5173 || !ports.Contains(3002) || ports.Contains(3003) || ports.String() != "5173,3000-3002,3001" {
		t.Errorf("%v, first %d, %s", ports.All(), ports.First(), ports)
	}
}

func TestAMissingDatabaseURLNamesThePlacesAndTheLine(t *testing.T) {
	t.Parallel()
	c := load(t, "DATABASE_URL=\n")
	_, err := c.Database()
	if e := settingError(t, err); e.File != filepath.Join(c.Root, ".env") || e.Write != `DATABASE_URL="postgresql://USER:PASSWORD@localhost:5432/DATABASE?connection_limit=5"` {
		t.Errorf("%+v", e)
	}
	for _, part := range []string{"environment", filepath.Join(c.Root, ".env.local"), filepath.Join(c.Root, ".env")} {
		wantContains(t, err.Error(), part)
	}
}

func TestABrokenDatabaseURLDoesNotStopLoading(t *testing.T) {
	t.Parallel()
	c := load(t, "DATABASE_URL=nonsense\nDBTASKS_PORTS=4000\n")
	if c.Ports.First() != 4000 {
		t.Errorf("ports %v", c.Ports)
	}
}

func TestTheServerIsTheDirectURLWhereThereIsOne(t *testing.T) {
	t.Parallel()
	const pooled = "DATABASE_URL=postgresql://app:pw@pooler:6432/shop?pgbouncer=true&connection_limit=7\n"
	for name, c := range map[string]struct {
		env, host string
		limit     int
	}{
		"none":                {pooled, "pooler", 7},
		"direct":              {pooled + "DIRECT_URL=postgresql://app:pw@db/shop", "db", 7},
		"direct with a limit": {pooled + "DIRECT_URL=postgresql://app:pw@db/shop?connection_limit=3", "db", 3},
		"direct alone":        {"DIRECT_URL=postgresql://app:pw@db/shop", "db", 1},
	} {
		u, err := load(t, c.env).Server()
		if err != nil || u.Hosts[0].Name != c.host || u.Limit != c.limit {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
	u, err := load(t, "DBTASKS_ADMIN_URL=postgresql://postgres@h/postgres").Admin()
	if err != nil || u.Limit != 1 || u.User != "postgres" || u.Origin.Variable != AdminURL {
		t.Errorf("admin %v, %v", u, err)
	}
}

func TestTheRootIsTheNearestFolderUpwardsWithAProjectsMark(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{"package.json", "go.mod", ".git"} {
		outer := t.TempDir()
		root := filepath.Join(outer, "app")
		deep := filepath.Join(root, "src", "lib")
		if err := os.MkdirAll(deep, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{outer, root} {
			if err := os.WriteFile(filepath.Join(dir, mark), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := ProjectRoot(deep); got != root {
			t.Errorf("%s: root %s, want %s", mark, got, root)
		}
	}
}

func TestARelativeFolderIsLookedUpwardsFromToo(t *testing.T) {
	dir := project(t, map[string]string{"src/.env": "V=wrong", ".env": "V=right"})
	t.Chdir(filepath.Join(dir, "src"))
	c, err := Load(".", nil)
	if err != nil {
		t.Fatal(err)
	}
	if value, _ := c.lookup("V"); value != "right" || !filepath.IsAbs(c.Root) {
		t.Errorf("V is %q, root %s", value, c.Root)
	}
}

func TestNoFormattingShowsASecret(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	c := load(t, "DATABASE_URL='postgresql://app:s3cret@h/d?connection_limit=5&sslpassword=s3cret&token=s3cret'\nDIRECT_URL='postgresql://app@h/d?password=s3cret'\n", "X=s3cret")
	u, err := c.Database()
	if err != nil {
		t.Fatal(err)
	}
	direct, err := c.Direct()
	if err != nil {
		t.Fatal(err)
	}
	if u.Password() != secret || direct.Password() != secret || !strings.Contains(u.Raw(), secret) {
		t.Fatal("the password is lost")
	}
	type holder struct {
		Config *Config
		URL    *URL
		Value  URL
		hidden URL
		inner  Config
	}
	for _, v := range []any{u, *u, direct, c, *c, []*URL{u}, []URL{*direct}, map[string]any{"u": u, "c": *c}, holder{c, u, *u, *u, *c}, &holder{c, u, *u, *u, *c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T shows the secret: %s", verb, v, text)
			}
		}
		data, err := json.Marshal(v)
		if err != nil || strings.Contains(string(data), secret) {
			t.Errorf("JSON of %T: %s, %v", v, data, err)
		}
	}
	if got, want := u.String(), "postgresql://app:***@h/d?connection_limit=5&sslpassword=***&token=***"; got != want {
		t.Errorf("masked %s, want %s", got, want)
	}
}
