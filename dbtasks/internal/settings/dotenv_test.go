package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
		"hash without a space":       {"V=one#two\n", "one#two", 1},
		"escaped newline":            {`V="a\nb"`, "a\nb", 1},
		"several lines":              {"A=1\nV=\"a\nb\"\nB=2", "a\nb", 2},
		"last assignment wins":       {"V=one\nV=two\n", "two", 2},
		"yaml style":                 {"V: one\n", "one", 1},
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
		"through another":              {"", "V=${A}\nA=${B}\nB=db", "", "db"},
		"real environment":             {"", "V=${H}:1", "H=prod", "prod:1"},
		"environment before the file":  {"", "H=db\nV=${H}:1", "H=prod", "prod:1"},
		".env.local before .env":       {"H=mine", "H=db\nV=${H}:1", "", "mine:1"},
		".env.local refers to .env":    {"V=${H}:1", "H=db", "", "db:1"},
		"itself is the next place":     {"V=${V}?more", "V=db", "", "db?more"},
		"a circle ends":                {"", "V=a$W\nW=b$V", "", "ab$V"},
		"default unused":               {"", "H=db\nV=${H:-localhost}", "", "db"},
		"default":                      {"", "V=${H:-localhost}:1", "", "localhost:1"},
		"default with one dash":        {"", "V=${H-localhost}:1", "", "localhost:1"},
		"empty default":                {"", "V=a${H:-}b", "", "ab"},
		"nowhere set, stays":           {"", "V=pa${NOPE}ss", "", "pa${NOPE}ss"},
		"a dollar in a password stays": {"", "V=pa$WORD", "", "pa$WORD"},
		"single quotes keep it":        {"", "H=db\nV='${H} $H ${H:-x}'", "", "${H} $H ${H:-x}"},
		"backslash keeps it":           {"", `V="\${H} \$H"` + "\nH=db", "", "${H} $H"},
		"lone dollars":                 {"", "V=$ $$ $1 a$", "", "$ $$ $1 a$"},
		"values with quotes":           {"", "V=<${H}>", `H=it's "quoted" \`, `<it's "quoted" \>`},
		"values with dollars":          {"", "V=<${H}>\nX=no", `H=$X ${X}`, `<$X ${X}>`},
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
	c, err := Load(dir, []string{"A=real", "C=", "=strange", "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		value  string
		origin Origin
	}{
		"A": {"real", Origin{Variable: "A"}},
		"B": {"local", Origin{"B", filepath.Join(dir, ".env.local"), 2}},
		"C": {"env", Origin{"C", filepath.Join(dir, ".env"), 4}},
		"D": {"env", Origin{"D", filepath.Join(dir, ".env"), 5}},
		"E": {},
	} {
		if value, origin := c.lookup(name); value != want.value || origin != want.origin || c.Origin(name) != want.origin {
			t.Errorf("%s is %q from %+v, want %q from %+v", name, value, origin, want.value, want.origin)
		}
	}
}

func TestAFileThatCanNotBeReadIsNamedWithTheLineAndWithoutItsText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		line int
		says string
	}{
		"a quote that is not closed": {"A=1\n\nDATABASE_URL=\"postgresql://u:s3cret@h/d\nB=2\n", 3, "line 3"},
		"no assignment":              {"A=1\ns3cret!word\nB=2\n", 2, "line 2"},
		"a strange name":             {"A=1\nB=2\nDATABASE-URL=s3cret\n", 3, "line 3"},
		"after several lines":        {"A=\"1\n2\n3\"\ns3cret s%\n", 4, "line 4"},
		"UTF-16, little end first":   {"\xff\xfeA\x00=\x001\x00", 0, "save it as UTF-8"},
		"UTF-16, big end first":      {"\xfe\xff\x00A\x00=\x001", 0, "save it as UTF-8"},
		"UTF-16 without a mark":      {"A\x00=\x001\x00", 0, "save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{".env": c.text})
			_, err := Load(dir, nil)
			e := settingError(t, err)
			if e.File != filepath.Join(dir, ".env") || e.Line != c.line || e.Variable != "" {
				t.Errorf("the error names %q, %s, line %d; want line %d", e.Variable, e.File, e.Line, c.line)
			}
			wantContains(t, err.Error(), c.says)
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func TestReferencesThatMultiplyComeToAnEnd(t *testing.T) {
	t.Parallel()
	var env strings.Builder
	all := strings.Repeat("$A$B$C$D$E$F$G$H", 8)
	for name := 'A'; name <= 'H'; name++ {
		fmt.Fprintf(&env, "%c=%s\n", name, all)
	}
	if value, origin := load(t, env.String()).lookup("A"); value == "" || origin.Line != 1 {
		t.Errorf("%d bytes of line %d", len(value), origin.Line)
	}
}

func TestAFolderInPlaceOfEnvIsNamed(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{".env.local/file": ""})
	_, err := Load(dir, nil)
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
	_, err := Load(dir, nil)
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
