package hostops

import (
	"fmt"
	"strings"
	"testing"
)

func TestACommandLineTellsWhatRunsAndNothingThatIsNotKnownToBeHarmless(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"/usr/bin/node", "/srv/shop/node_modules/.bin/vite", "dev", "--port", "3000"}, "node vite dev --port 3000"},
		{[]string{"node", "/srv/my shop/server.js", "--port=3000", "--verbose"}, "node server.js --port=3000 …"},
		{[]string{"node", "--require", "./hooks.js", "--watch", "src/index.ts"}, "node … --watch index.ts"},
		{[]string{`C:\Program Files\nodejs\node.exe`, `C:\shop\server.js`}, "node server.js"},
		{[]string{"npm run dev:web --port 3000"}, "npm run dev:web --port 3000"},
		{[]string{"next-server (v16.4.3)"}, "next-server (v16.4.3)"},
		{[]string{"sh", "-c", "vite dev"}, "sh -c …"},
		{[]string{"sh", "-c", "vite"}, "sh -c vite"},
		{[]string{"python3", "leak.py", "127.0.0.1", "5432", "app"}, "python3 leak.py … app"},
		{[]string{"tsx", "watch", "src/worker.ts", "one", "two"}, "tsx watch worker.ts …"},
		{[]string{"go", "run", "./cmd/api", "-dsn", "x"}, "go run api …"},
		{[]string{"evil\x1b[2J\x07\ttitle\r\n"}, "…"},
		{[]string{"", "x"}, "kernel"},
		{nil, "kernel"},
	} {
		p := Process{Args: c.args, Name: "kernel"}
		if strings.HasPrefix(c.want, "…") {
			p.Name = "\x1b[31m"
		}
		if got := p.Command(); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
	long := Process{Args: append([]string{"npm"}, strings.Split(strings.Repeat("start ", 100), " ")...)}
	if got := long.Command(); len([]rune(got)) > 90 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d characters: %s", len([]rune(got)), got)
	}
}

// ways are how people write a secret on a command line, § in its place.
var ways = [][]string{
	{"--password=§"}, {"--password", "§"}, {"--pass=§"}, {"-p", "§"}, {"-p§"}, {"--pw", "§"}, {"--pw=§"}, {"-W", "§"}, {"-a", "§"},
	{"postgres://u:§@h/d"}, {"postgres://u:a@§@h/d"}, {"postgres://u:a b §@h/d"}, {"postgres://u:a/§@h/d"}, {"redis://:§@h"},
	{"postgres://u:a%2F/§.js"}, {"host=h password=§"}, {"host=h password='x §'"}, {`host=h password=x\ §`},
	{"PGPASSWORD=§"}, {"DB_PASS=§"}, {"DB_PWD=§"}, {"MYSQL_ROOT_PASSWORD=§"}, {"AWS_SECRET_ACCESS_KEY=§"}, {"SECRET_KEY_BASE=§"},
	{"JWT_SECRET=§"}, {"API_KEY=§"}, {"apikey:§"}, {"PRIVATE_KEY=§"}, {"ENCRYPTION_KEY=§"}, {"ACCESS_KEY=§"}, {"AUTH=§"},
	{"CREDENTIALS=§"}, {"SESSION_COOKIE=§"}, {"TOKEN=/§.js"},
	{`{"password":"§"}`}, {`{"password": "§"}`}, {"{'pass':'§'}"}, {`{"password":"a\"§"}`}, {`{ "db": { "password" : "§" } }`},
	{"password:§"}, {"password: §"}, {"password => §"}, {"dev:§"}, {"test-§"}, {"start.§"},
	{"-H", "Authorization: Bearer §"}, {"-HAuthorization: Basic §"}, {"-u", "user:§"}, {"--user=user:§"}, {"-uuser:§"},
	{"--token", "§"}, {"--auth-token=§"}, {"--bearer", "§"}, {"--key=§"}, {"--passwort=§"}, {"--contraseña=§"}, {"--mot-de-passe", "§"},
	{"--passphrase", "§ x"}, {"--password", "x §"}, {"--password=", "§"}, {"--password", "-§"}, {"--password", "--§"}, {"--port", "§"}, {"--port=§"},
	{"https://h/?access_token=§"}, {"https://h/?sig=§"}, {"https://h/?key=§"}, {"https://§@h/"}, {"https://§:x-oauth-basic@github.com/"},
	{"postgresql://h/d?user=u&password=§"}, {"postgresql://h/d?password=%48&x=§"}, {"https://hooks.example/services/§"},
	{"--password\nS"}, {"--password=\nS"}, {"a --password=b\tS"}, {"--password=a,§"}, {"x=1;password=§;y"}, {"Server=h;Password=§;"},
	{"Server=h;Pwd=§;"}, {"jdbc:postgresql://h/d?user=u&password=§"}, {"-Dspring.datasource.password=§"}, {"-Ddb.pw=§"},
	{"--env", "PASSWORD=§"}, {"-ePGPASSWORD=§"}, {"-e", "PGPASSWORD=§"}, {"--set=db.password=§"}, {"--db-url=postgres://u:§@h/d"},
	{"--dsn", "u:§@tcp(h)/d"}, {"mysql://u:§@h"}, {"u:§@h:5432/d"}, {"§"}, {"-c", "PGPASSWORD='a §' node s.js"}, {"-e", "connect('§')"},
}

func TestNoFormOfASecretIsShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	if len(ways) < 78 {
		t.Fatalf("%d forms, want 78 at least", len(ways))
	}
	for _, way := range ways {
		var args []string
		for _, w := range way {
			args = append(args, strings.ReplaceAll(w, "§", secret))
		}
		for _, before := range [][]string{{"node", "s.js"}, {"node"}, {"npm", "run", "dev", "--"}, {"psql"}} {
			line := append(append([]string{}, before...), args...)
			for _, p := range []Process{{Args: line, Name: "node"}, {Args: []string{strings.Join(line, " ")}, Name: "node"}} {
				for _, text := range []string{p.Command(), fmt.Sprintf("%v %+v %#v %s", p, p, p, StopOutcome{Process: p})} {
					if strings.Contains(text, secret) {
						t.Errorf("%q is shown as %s", line, text)
					}
				}
			}
		}
	}
}
