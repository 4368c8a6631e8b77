package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

func TestDotenvValuesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, want string
		line       int
	}{
		"plain":                      {"V=one\n", "one", 1},
		"no newline at the end":      {"V=one", "one", 1},
		"byte-order mark":            {"\ufeffV=one\n", "one", 1},
		"CRLF":                       {"# first\r\nV=one\r\nW=2\r\n", "one", 2},
		"CRLF and quotes":            {"A=1\r\nV=\"one two\"\r\n", "one two", 2},
		"CR alone":                   {"A=1\rV=one\r", "one", 2},
		"export":                     {"\nexport V=one\n", "one", 2},
		"spaces around":              {"  V = one  \n", "one", 1},
		"double quotes":              {`V="a # b"`, "a # b", 1},
		"single quotes":              {`V='a $b "c"'`, `a $b "c"`, 1},
		"quotes with a comment":      {`V="one" # why`, "one", 1},
		"comment":                    {"V=one # why\n", "one", 1},
		"hash without a space":       {"V=one#two\n", "one", 1},
		"escaped newline":            {`V="a\nb"`, "a\nb", 1},
		"several lines":              {"A=1\nV=\"a\nb\"\nB=2", "a\nb", 2},
		"last assignment wins":       {"V=one\nV=two\n", "two", 2},
		"yaml style":                 {"V: one\n", "one", 1},
		"backticks":                  {"V=`a 'b' \"c\"`", `a 'b' "c"`, 1},
		"quotes within quotes":       {`V="My "best" shop"`, `My "best" shop`, 1},
		"escaped quotes stay so":     {`V="a \"b\" c"`, `a \"b\" c`, 1},
		"ends in a backslash":        {`V="C:\dir\"`, `C:\dir\`, 1},
		"a bare word above":          {"FEATURE\nV=one\n", "one", 2},
		"merge marks above":          {"<<<<<<< HEAD\nA=1\n=======\nV=one\n>>>>>>> x\n", "one", 4},
		"a key over several lines":   {"K=-----BEGIN KEY-----\nMIIE/a==\n-----END KEY-----\nV=one\n", "one", 4},
		"JSON over several lines":    {"K={\n  \"type\": \"account\"\n}\nV=one\n", "one", 4},
		"a name with a dash above":   {"x-api-key=abc\nV=one\n", "one", 2},
		"an unclosed quote above":    {"K=\"abc\nV=one\n", "one", 2},
		"a control character":        {"V=a\x01b\n", "a\x01b", 1},
		"umlauts":                    {"V=größe\n", "größe", 1},
		"empty":                      {"V=\n", "", 0},
		"commented out":              {"#V=one\n", "", 0},
		"empty file":                 {"", "", 0},
		"only comments":              {"# a\n\n# b", "", 0},
		"another's name is a prefix": {"VV=one\n", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c1 := load(t, c.text)
			got, origin := c1.lookup("V")
			if got != c.want {
				t.Errorf("%q gives %q, want %q", c.text, got, c.want)
			}
			want := Origin{}
			if c.want != "" {
				want = Origin{Variable: "V", File: filepath.Join(c1.Root, ".env"), Line: c.line}
			}
			if origin != want {
				t.Errorf("origin %+v, want %+v", origin, want)
			}
		})
	}
}

func TestReferencesMeanWhatTheAppsToolsTakeThemFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ local, env, environ, want string }{
		"variable above":               {"", "H=db\nV=${H}:1", "", "db:1"},
		"without braces":               {"", "H=db\nV=$H:1", "", "db:1"},
		"in double quotes":             {"", "H=db\nV=\"${H}:1\"", "", "db:1"},
		"in lower case":                {"", "h=db\nV=${h}:1", "", "db:1"},
		"variable below":               {"", "V=${H}:1\nH=db", "", "db:1"},
		"through another":              {"", "B=db\nA=${B}\nV=${A}", "", "db"},
		"real environment":             {"", "V=${H}:1", "H=prod", "prod:1"},
		"environment before the file":  {"", "H=db\nV=${H}:1", "H=prod", "prod:1"},
		".env.local before .env":       {"H=mine", "H=db\nV=${H}:1", "", "mine:1"},
		".env.local refers to .env":    {"V=${H}:1", "H=db", "", "db:1"},
		"itself is empty":              {"V=${V}?more", "V=db", "", "?more"},
		"a circle ends":                {"", "V=a$W\nW=b$V", "", "ab"},
		"default unused":               {"", "H=db\nV=${H:-localhost}", "", "db"},
		"default":                      {"", "V=${H:-localhost}:1", "", "localhost:1"},
		"default with one dash":        {"", "V=${H-localhost}:1", "", "localhost:1"},
		"empty default":                {"", "V=a${H:-}b", "", "ab"},
		"nowhere set, stays":           {"", "V=pa${NOPE}ss", "", "pa${NOPE}ss"},
		"a dollar in a password stays": {"", "V=pa$WORD", "", "pa$WORD"},
		"single quotes do not keep it": {"", "H=db\nV='${H} $H ${H:-x}'", "", "db db db"},
		"backslash keeps it":           {"", `V="\${H} \$H"` + "\nH=db", "", "${H} $H"},
		"lone dollars":                 {"", "V=$ $$ $1 a$", "", "$ $$ $1 a$"},
		"values with quotes":           {"", "V=<${H}>", `H=it's "quoted" \`, `<it's "quoted" \>`},
		"a default within a default":   {"", "V=${A:-${B_:-dev}}:1", "", "dev:1"},
		"values with dollars":          {"", "V=<${H}>\nX=no", `H=$X ${X}`, `<no no>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{".env.local": c.local, ".env": c.env})
			cfg, err := Load(dir, []string{c.environ})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := cfg.lookup("V"); got != c.want {
				t.Errorf("V is %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheEnvironmentComesBeforeEnvLocalAndThatBeforeEnv(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{".env.local": "A=local\nB=local\nD=\n", ".env": "\nA=env\nB=env\nC=env\nD=env\n"})
	c, err := Load(dir, []string{"A=real", "=strange", "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		value  string
		origin Origin
	}{
		"A": {"real", Origin{Variable: "A"}},
		"B": {"local", Origin{Variable: "B", File: filepath.Join(dir, ".env.local"), Line: 2}},
		"C": {"env", Origin{Variable: "C", File: filepath.Join(dir, ".env"), Line: 4}},
		"D": {}, // the app gets it empty, from the file that wins
		"E": {},
	} {
		if value, origin := c.lookup(name); value != want.value || origin != want.origin || c.Origin(name) != want.origin {
			t.Errorf("%s is %q from %+v, want %q from %+v", name, value, origin, want.value, want.origin)
		}
	}
}

func TestAFileThatIsNoTextIsNamedWhereItWouldCount(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"UTF-16, little end first": "\xff\xfeA\x00=\x001\x00", "UTF-16, big end first": "\xfe\xff\x00A\x00=\x001", "UTF-16 without a mark": "A\x00=\x001\x00",
	} {
		dir := project(t, map[string]string{".env.local": text, ".env": "DBTASKS_PORTS=4000"})
		c, err := Load(dir, nil)
		if err != nil || c.Ports.First() != 4000 {
			t.Fatalf("%s: the rest does not work: %v", name, err)
		}
		_, err = c.Database()
		if e := settingError(t, err); e.File != filepath.Join(dir, ".env.local") || e.Variable != "" {
			t.Errorf("%s: the error names %q, %s", name, e.Variable, e.File)
		}
		wantContains(t, err.Error(), "save it as UTF-8")
		if c, err = Load(dir, []string{"DATABASE_URL=postgresql://h/d?connection_limit=1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Database(); err != nil {
			t.Errorf("%s: the environment wins over the file: %v", name, err)
		}
	}
}

func TestReferencesThatMultiplyComeToAnEnd(t *testing.T) {
	t.Parallel()
	var env strings.Builder
	all := strings.Repeat("$A$B$C$D$E$F$G$H", 8)
	for name := 'A'; name <= 'H'; name++ {
		fmt.Fprintf(&env, "%c=%s\n", name, all)
	}
	for _, name := range []string{jsproject.Next, jsproject.SvelteKit, jsproject.Nuxt, ""} {
		began := time.Now()
		pkg := map[string]string{jsproject.Next: "next", jsproject.SvelteKit: "@sveltejs/kit", jsproject.Nuxt: "nuxt", "": "pg"}[name]
		c, err := Load(project(t, map[string]string{".env": env.String(), "package.json": `{"dependencies": {"` + pkg + `": "1"}}`}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if value, _ := c.lookup("A"); len(value) > 2*maxExpanded || time.Since(began) > 20*time.Second {
			t.Errorf("%s: %d bytes after %s", name, len(value), time.Since(began))
		}
	}
}

func TestAFolderInPlaceOfEnvIsNamed(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{".env.local/file": ""})
	c, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Database()
	if e := settingError(t, err); e.File != filepath.Join(dir, ".env.local") {
		t.Errorf("the error names %s", e.File)
	}
	wantContains(t, err.Error(), "is a folder")
}

func TestAnUnreadableEnvIsNamed(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{".env": "A=1"})
	path := filepath.Join(dir, ".env")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(path); err == nil {
		_ = f.Close()
		t.Skip("this user may read a file of mode 000 (root, or Windows)")
	}
	c, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Database()
	if e := settingError(t, err); e.File != path {
		t.Errorf("the error names %s", e.File)
	}
	wantContains(t, err.Error(), "permission denied")
}

func TestMissingFilesAreFine(t *testing.T) {
	t.Parallel()
	c, err := Load(t.TempDir(), []string{"V=1"})
	if err != nil {
		t.Fatal(err)
	}
	if value, _ := c.lookup("V"); value != "1" {
		t.Errorf("V is %q", value)
	}
}
