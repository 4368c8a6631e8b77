package runbook_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

// wrong is a project whose settings are wrong: what db:test says, followed word
// for word, leads to a working login in one step.
type wrong struct {
	what  string
	files map[string]string // PORT, USER, PASS, DB and SOCK stand for the server's
	env   []string
	code  string // of the failure
	says  string // in the message, the details or the next step
	file  string // that the answer names, with line; "" where no file is to blame
	line  int
}

const (
	pgProject   = `{"dependencies": {"pg": "8"}}`
	jsProject   = `{"type": "module", "dependencies": {"postgres": "3"}}`
	nextProject = `{"scripts": {"dev": "next dev"}, "dependencies": {"next": "16", "pg": "8"}}`
	viteProject = `{"scripts": {"dev": "vite dev"}, "devDependencies": {"vite": "8", "@sveltejs/kit": "2"}, "dependencies": {"pg": "8"}}`
	base        = "postgresql://USER:PASS@127.0.0.1:PORT/DB"
)

// env is a project with one line in .env.
func env(line string) map[string]string {
	return map[string]string{"package.json": pgProject, ".env": line + "\n"}
}

func wrongURL(what, url, code, says string) wrong {
	return wrong{what: what, files: env(`DATABASE_URL="` + url + `"`), code: code, says: says, file: ".env", line: 1}
}

var wrongSettings = []wrong{
	// The limit, by driver.
	wrongURL("no limit", base, "settings", "connection_limit=5"),
	wrongURL("limit 0", base+"?connection_limit=0", "settings", "connection_limit=5"),
	wrongURL("negative limit", base+"?connection_limit=-1", "settings", "connection_limit=5"),
	wrongURL("limit is a word", base+"?connection_limit=five", "settings", "connection_limit=5"),
	wrongURL("empty limit", base+"?connection_limit=", "settings", "connection_limit=5"),
	wrongURL("limit twice", base+"?connection_limit=5&connection_limit=6", "settings", "twice"),
	wrongURL("pool_max_conns is a word", base+"?pool_max_conns=x", "settings", "pool_max_conns"),
	wrongURL("the written limit is a word", base+"?options=-c%20dbtasks.pool_limit%3Dx", "settings", "should be a whole number"),
	wrongURL("max alone", base+"?max=5", "settings", "connection_limit=5"),
	{what: "postgres.js and connection_limit", files: map[string]string{"package.json": jsProject, ".env": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "postgres.js", file: ".env", line: 1},
	{what: "postgres.js without a limit", files: map[string]string{"package.json": jsProject, ".env": "DATABASE_URL=" + base + "\n"}, code: "settings", says: "dbtasks.pool_limit%3D5", file: ".env", line: 1},
	{what: "postgres.js and options of its own", files: map[string]string{"package.json": jsProject, ".env": "DATABASE_URL=" + base + "?options=-c%20search_path%3Dpublic\n"}, code: "settings", says: "dbtasks.pool_limit%3D5", file: ".env", line: 1},
	{what: "Bun SQL and connection_limit", files: map[string]string{"package.json": `{"scripts": {"dev": "bun --hot index.ts"}, "devDependencies": {"@types/bun": "1"}}`, ".env": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "dbtasks.pool_limit%3D5", file: ".env", line: 1},
	{what: "pgxpool and connection_limit", files: map[string]string{"go.mod": "module x\n\nrequire github.com/jackc/pgx/v5 v5.1.0\n", "main.go": "package main\n\nimport _ \"github.com/jackc/pgx/v5/pgxpool\"\n", ".env": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "pool_max_conns=5", file: ".env", line: 1},
	{what: "lib/pq and connection_limit", files: map[string]string{"go.mod": "module x\n\nrequire github.com/lib/pq v1.1.0\n", "main.go": "package main\n\nimport _ \"github.com/lib/pq\"\n", ".env": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "dbtasks.pool_limit%3D5", file: ".env", line: 1},
	{what: "no limit in the environment", files: map[string]string{"package.json": pgProject}, env: []string{"DATABASE_URL=" + base}, code: "settings", says: "in the environment"},

	// What is pasted.
	wrongURL("a psql command", "psql '"+base+"?connection_limit=5'", "settings", "psql command"),
	wrongURL("a psql command with a flag", "psql -d "+base, "settings", "psql command"),
	wrongURL("its own name in its value", "DATABASE_URL="+base+"?connection_limit=5", "settings", "its own name"),
	wrongURL("export in its value", "export DATABASE_URL="+base+"?connection_limit=5", "settings", "its own name"),
	{what: "quotes within quotes", files: env(`DATABASE_URL='"` + base + `?connection_limit=5"'`), code: "settings", says: "quotes within", file: ".env", line: 1},
	wrongURL("the scheme in capitals", "POSTGRESQL://USER:PASS@127.0.0.1:PORT/DB?connection_limit=5", "settings", "capitals"),
	wrongURL("JDBC", "jdbc:postgresql://127.0.0.1:PORT/DB?user=USER&password=PASS", "settings", "JDBC"),
	wrongURL("SQLAlchemy's driver", "postgresql+asyncpg://USER:PASS@127.0.0.1:PORT/DB", "settings", "SQLAlchemy"),
	wrongURL("MySQL", "mysql://USER:PASS@127.0.0.1:PORT/DB", "settings", "MySQL"),
	wrongURL("Prisma Accelerate", "prisma://accelerate.prisma-data.net/?api_key=x", "settings", "Accelerate"),
	wrongURL("SQLite", "file:./dev.db", "settings", "SQLite"),
	wrongURL("no scheme", "USER:PASS@127.0.0.1:PORT/DB", "settings", "should begin with"),
	wrongURL("libpq's keywords", "host=127.0.0.1 port=PORT dbname=DB user=USER", "settings", "should begin with"),

	// The password.
	{what: "a slash in the password", files: env(`DATABASE_URL="postgresql://USER:a/b@127.0.0.1:PORT/DB?connection_limit=5"`), code: "settings", says: "percent-encode", file: ".env", line: 1},
	{what: "a percent sign in the password", files: env(`DATABASE_URL="postgresql://USER:a%b@127.0.0.1:PORT/DB?connection_limit=5"`), code: "settings", says: "%25", file: ".env", line: 1},
	{what: "a # cuts the value", files: env("DATABASE_URL=postgresql://USER:a#b@127.0.0.1:PORT/DB?connection_limit=5"), code: "settings", says: "DATABASE_URL", file: ".env", line: 1},
	{what: "the wrong password", files: env("DATABASE_URL=postgresql://USER:wrong@127.0.0.1:PORT/DB?connection_limit=5"), code: "auth_failed", says: "correct user and password", file: ".env", line: 1},
	{what: "Supabase's placeholder", files: env("DATABASE_URL=postgresql://USER:[YOUR-PASSWORD]@127.0.0.1:PORT/DB?connection_limit=5"), code: "auth_failed", says: "template", file: ".env", line: 1},
	{what: "our own mask", files: env("DATABASE_URL=postgresql://USER:***@127.0.0.1:PORT/DB?connection_limit=5"), code: "auth_failed", says: "template", file: ".env", line: 1},
	wrongURL("an unknown role", "postgresql://nobody:PASS@127.0.0.1:PORT/DB?connection_limit=5", "auth_failed", "correct user and password"),

	// Host and port.
	wrongURL("port 0", "postgresql://USER:PASS@127.0.0.1:0/DB?connection_limit=5", "settings", "1 to 65535"),
	wrongURL("a word for the port", "postgresql://USER:PASS@127.0.0.1:port/DB?connection_limit=5", "settings", "1 to 65535"),
	wrongURL("IPv6 without brackets", "postgresql://USER:PASS@::1/DB?connection_limit=5", "settings", "brackets"),
	wrongURL("a Compose service", "postgresql://USER:PASS@database-of-compose:PORT/DB?connection_limit=5", "no_such_host", "localhost"),
	wrongURL("host.docker.internal", "postgresql://USER:PASS@host.docker.internal:PORT/DB?connection_limit=5", "no_such_host", "localhost"),
	wrongURL("two hosts and three ports", "postgresql://USER:PASS@a,b/DB?port=1,2,3&connection_limit=5", "settings", "2 hosts and 3 ports"),

	// TLS.
	wrongURL("TLS of a server without", base+"?sslmode=require&connection_limit=5", "tls_not_offered", "does not offer it"),
	wrongURL("Neon's URL at a local server", base+"?sslmode=require&channel_binding=require&connection_limit=5", "tls_not_offered", "does not offer it"),
	wrongURL("channel binding alone", base+"?channel_binding=require&connection_limit=5", "tls_not_offered", "does not offer it"),
	wrongURL("ssl=1", base+"?ssl=1&connection_limit=5", "tls_not_offered", "does not offer it"),
	wrongURL("ssl=no-verify", base+"?ssl=no-verify&connection_limit=5", "tls_not_offered", "does not offer it"),
	wrongURL("sslaccept=strict", base+"?sslaccept=strict&connection_limit=5", "tls_not_offered", "does not offer it"),
	wrongURL("verify-full", base+"?sslmode=verify-full&connection_limit=5", "tls_not_offered", "does not offer it"),

	// The server's refusals.
	wrongURL("no such database", "postgresql://USER:PASS@127.0.0.1:PORT/missing?connection_limit=5", "no_such_database", "CREATE DATABASE"),
	wrongURL("the database in capitals", "postgresql://USER:PASS@127.0.0.1:PORT/UPPERDB?connection_limit=5", "no_such_database", "small letters"),
	wrongURL("a closed database", "postgresql://USER:PASS@127.0.0.1:PORT/closed?connection_limit=5", "database_closed", "ALLOW_CONNECTIONS true"),
	wrongURL("an invalid database", "postgresql://USER:PASS@127.0.0.1:PORT/inval?connection_limit=5", "database_invalid", "cut short"),
	wrongURL("no right to connect", "postgresql://USER:PASS@127.0.0.1:PORT/private?connection_limit=5", "no_access", "GRANT CONNECT"),
	wrongURL("a role without LOGIN", "postgresql://nologin:PASS@127.0.0.1:PORT/DB?connection_limit=5", "no_login", "ALTER ROLE"),
	wrongURL("no line of pg_hba.conf for ::1", "postgresql://v4only:PASS@[::1]:PORT/DB?connection_limit=5", "pg_hba", "::1/128"),
	wrongURL("ident over TCP", "postgresql://identy:PASS@127.0.0.1:PORT/DB?connection_limit=5", "auth_method", "scram-sha-256"),
	wrongURL("peer on the socket", "postgresql://USER:PASS@/DB?host=SOCK&port=PORT&connection_limit=5", "auth_method", "localhost"),
	wrongURL("Neon's options", base+"?options=project%3Dep-cool-1&connection_limit=5", "options_refused", "does not take the options"),
	wrongURL("an unknown setting in options", base+"?options=-c%20nonsense%3D1&connection_limit=5", "options_refused", "does not take the options"),

	// Where it stands.
	{what: "another name", files: map[string]string{"package.json": nextProject, ".env.local": "POSTGRES_PRISMA_URL=\"" + base + "\"\n"}, code: "settings", says: "${POSTGRES_PRISMA_URL}", file: ".env.local", line: 0},
	{what: "another name, with parameters", files: map[string]string{"package.json": viteProject, ".env": "POSTGRES_URL=\"" + base + "?connect_timeout=5\"\n"}, code: "settings", says: "${POSTGRES_URL}&connection_limit=5", file: ".env", line: 0},
	{what: "libpq's variables", files: map[string]string{"package.json": pgProject, ".env": "PGHOST=127.0.0.1\nPGPORT=PORT\nPGUSER=USER\nPGPASSWORD=PASS\nPGDATABASE=DB\n"}, code: "settings", says: "${PGHOST}", file: ".env", line: 0},
	{what: "in prisma/.env", files: map[string]string{"package.json": nextProject, "prisma/.env": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "ln -s", file: "prisma/.env", line: 1},
	{what: "in the package of a workspace", files: map[string]string{"package.json": `{"workspaces": ["packages/*"], "dependencies": {"pg": "8"}}`, "packages/db/package.json": pgProject, "packages/db/.env": "\nDATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "ln -s", file: "packages/db/.env", line: 2},
	{what: ".env.local where Nuxt reads .env", files: map[string]string{"package.json": `{"dependencies": {"nuxt": "4", "pg": "8"}}`, ".env.local": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "Nuxt", file: ".env.local", line: 1},
	{what: "an empty value hides it", files: map[string]string{"package.json": nextProject, ".env.local": "A=1\nDATABASE_URL=\n", ".env": "DATABASE_URL=" + base + "?connection_limit=5\n"}, code: "settings", says: "delete line 2", file: ".env.local", line: 2},
	{what: "empty in the environment", files: env("DATABASE_URL=" + base + "?connection_limit=5"), env: []string{"DATABASE_URL="}, code: "settings", says: "unset DATABASE_URL", file: ".env"},
	{what: "a quote above is not closed", files: map[string]string{"package.json": viteProject, ".env": "KEY=\"abc\nDATABASE_URL=\"" + base + "?connection_limit=5\"\n"}, code: "settings", says: "close the quote", file: ".env", line: 1},
}

func TestSixtyWrongSettingsLeadToAWorkingLoginInOneStep(t *testing.T) {
	t.Parallel()
	if len(wrongSettings) < 60 {
		t.Fatalf("only %d", len(wrongSettings))
	}
	s := newWrongServer(t)
	for _, w := range wrongSettings {
		t.Run(w.what, func(t *testing.T) {
			t.Parallel()
			s.follow(t, w)
		})
	}
}

// wrongServer is the server of all cases; each changes what is its own.
type wrongServer struct {
	*pgtest.Server
	db    pgtest.Database
	words *strings.Replacer
	mu    sync.Mutex // pg_hba.conf is one file
}

const rightPassword = "S3cretPass"

func newWrongServer(t *testing.T) *wrongServer {
	t.Helper()
	s := &wrongServer{Server: pgtest.Start(t, pgserver.DisposableOptions{HBA: []string{
		"local shopdb appuser peer", "host all identy 127.0.0.1/32 ident", "host all v4only ::1/128 reject",
	}})}
	s.db = s.NewNamedDatabase("shopdb", "appuser", rightPassword)
	s.Exec("CREATE ROLE nologin NOLOGIN PASSWORD '"+rightPassword+"'", "CREATE ROLE identy LOGIN PASSWORD '"+rightPassword+"'", "CREATE ROLE v4only LOGIN PASSWORD '"+rightPassword+"'",
		"CREATE DATABASE closed OWNER appuser ALLOW_CONNECTIONS false", "CREATE DATABASE inval OWNER appuser", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'inval'",
		"CREATE DATABASE private", "REVOKE CONNECT ON DATABASE private FROM PUBLIC")
	s.words = strings.NewReplacer("PORT", strconv.Itoa(s.Port), "USER", s.db.Role, "PASS", rightPassword, "UPPERDB", "ShopDB", "DB", s.db.Name, "SOCK", s.SocketDir)
	return s
}

// follow calls db:test, does what it says, and wants the login to work then.
func (s *wrongServer) follow(t *testing.T, w wrong) {
	if strings.Contains(w.files[".env"], "[::1]") {
		conn, err := net.Dial("tcp", net.JoinHostPort("::1", strconv.Itoa(s.Port)))
		if err != nil {
			t.Skip("no IPv6 on this machine")
		}
		_ = conn.Close()
	}
	root := t.TempDir()
	for name, text := range w.files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if name != "package.json" {
			text = s.words.Replace(strings.ReplaceAll(text, "DATABASE_URL", "\x00")) // DB stands in it
			text = strings.ReplaceAll(strings.ReplaceAll(text, "PG"+s.db.Role, "PGUSER"), "\x00", "DATABASE_URL")
			text = strings.NewReplacer("PG"+strconv.Itoa(s.Port), "PGPORT", "PG"+rightPassword+"WORD", "PGPASSWORD").Replace(text)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{}
	for _, line := range w.env {
		name, value, _ := strings.Cut(line, "=")
		env = append(env, name+"="+s.words.Replace(value))
	}
	r, err := testIn(t, root, env)
	if err == nil {
		t.Fatalf("it works: %+v", r)
	}
	f := runbook.AsFailure(err)
	said := strings.Join(append([]string{f.Message, f.Next}, f.Details...), "\n")
	if f.Code != w.code || !strings.Contains(said, w.says) {
		t.Errorf("code %s, want %s with %q:\n%s", f.Code, w.code, w.says, said)
	}
	for _, part := range []string{"DATABASE_URL", filepath.Base(w.file)} {
		if w.file != "" && !strings.Contains(said, part) {
			t.Errorf("it does not name %s:\n%s", part, said)
		}
	}
	if w.line > 0 && !strings.Contains(said, fmt.Sprintf("line %d", w.line)) {
		t.Errorf("it does not name line %d:\n%s", w.line, said)
	}
	if strings.Contains(said, rightPassword) {
		t.Errorf("it shows the password:\n%s", said)
	}
	env = s.obey(t, f, root, env)
	if _, err := testIn(t, root, env); err != nil {
		f2 := runbook.AsFailure(err)
		text, _ := os.ReadFile(filepath.Join(root, ".env"))
		t.Errorf("it said:\n%s\nand after that:\n%s\n%s\n%s\n.env: %s", said, f2.Message, strings.Join(f2.Details, "\n"), f2.Next, text)
	}
}

func testIn(t *testing.T, root string, env []string) (runbook.TestReport, error) {
	t.Helper()
	d, err := runbook.OpenWith(root, runbook.OpenOptions{Environ: env})
	if err != nil {
		return runbook.TestReport{}, err
	}
	defer d.Close()
	return d.Test(ctx, runbook.TestOptions{})
}

var (
	lineToWrite = regexp.MustCompile(`DATABASE_URL="[^"]*"`)
	placeOfIt   = regexp.MustCompile(`write into (\S+), line (\d+)`)
	ofFile      = regexp.MustCompile(`line (\d+) of (\S+)$`)
	forHBA      = regexp.MustCompile(`pg_hba.conf above its other lines: (.*), then reload`)
)

// obey does what a person would do who reads the next step.
func (s *wrongServer) obey(t *testing.T, f *runbook.Failure, root string, env []string) []string {
	t.Helper()
	right := `DATABASE_URL="` + strings.NewReplacer("USER", s.db.Role, "PASS", rightPassword, "PORT", strconv.Itoa(s.Port), "DB", s.db.Name).Replace(base) + `?connection_limit=5"`
	line := strings.NewReplacer("***", rightPassword, "USER:PASSWORD@localhost:5432/DATABASE", fmt.Sprintf("%s:%s@localhost:%d/%s", s.db.Role, rightPassword, s.Port, s.db.Name)).Replace(lineToWrite.FindString(f.Next))
	file, number := "", 0
	var setting *settings.SettingError
	if errors.As(f, &setting) {
		file, number = setting.File, setting.Line
	} else if m := placeOfIt.FindStringSubmatch(f.Next); m != nil {
		file = m[1]
		number, _ = strconv.Atoi(m[2])
	}
	switch {
	case strings.HasPrefix(f.Next, "unset "):
		return slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "DATABASE_URL=") })
	case strings.HasPrefix(f.Next, "ln -s "):
		if out, err := exec.Command("sh", "-c", f.Next).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", f.Next, out)
		}
	case ofFile.MatchString(f.Next):
		m := ofFile.FindStringSubmatch(f.Next)
		number, _ := strconv.Atoi(m[1])
		edit(t, m[2], number, func(old string) string {
			if strings.HasPrefix(f.Next, "delete") {
				return "# deleted"
			}
			return old + `"`
		})
	case strings.Contains(f.Next, "(as a superuser"):
		for statement := range strings.SplitSeq(f.Next[:strings.Index(f.Next, "(as a superuser")], ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				s.Exec(statement)
			}
		}
	case forHBA.MatchString(f.Next):
		s.hba(t, func(text string) string { return forHBA.FindStringSubmatch(f.Next)[1] + "\n" + text })
	case strings.Contains(f.Next, "change the method"):
		s.hba(t, func(text string) string { return strings.Replace(text, "ident\n", "scram-sha-256\n", 1) })
	case line != "" && file == "":
		return append(env, strings.ReplaceAll(line, `"`, ""))
	case line != "":
		edit(t, file, number, func(string) string { return line })
	default: // "correct user and password in …"
		edit(t, filepath.Join(root, ".env"), 1, func(string) string { return right })
	}
	return env
}

// edit changes a line of a file, or adds one: line 0.
func edit(t *testing.T, file string, number int, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && number > 0 {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if number == 0 {
		lines = append(lines, change(""))
	} else {
		lines[number-1] = change(lines[number-1])
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hba edits pg_hba.conf, and has the server read it.
func (s *wrongServer) hba(t *testing.T, change func(string) string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	file := filepath.Join(s.DataDir, "pg_hba.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil { // the owner stays
		t.Fatal(err)
	}
	s.Exec("SELECT pg_reload_conf()")
	// A statement of a new session is answered by a server that has read it: the
	// postmaster reads the file before it makes the next backend.
	pgtest.Eventually(t, 10*time.Second, "the server reads pg_hba.conf", func() bool {
		return pgtest.Count(t, s.Admin("postgres"), "true") > 0
	})
}
