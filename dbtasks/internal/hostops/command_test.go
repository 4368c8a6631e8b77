package hostops

import (
	"fmt"
	"strings"
	"testing"
)

func TestSecretsOnCommandLinesAreMasked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"psql", "postgresql://app:hunter2@localhost/shop"}, "psql postgresql://app:***@localhost/shop"},
		{[]string{"psql", "postgresql://app:hun@ter2/x:y@localhost/shop"}, "psql postgresql://app:***@localhost/shop"},
		{[]string{"redis", "redis://:hunter2@localhost"}, "redis redis://:***@localhost"},
		{[]string{"psql", "postgresql:///shop?user=app&password=hunter2&sslpassword=hunter2"}, "psql postgresql:///shop?user=app&password=***&sslpassword=***"},
		{[]string{"psql", "host=localhost password='hunter 2' user=app"}, "psql host=localhost password=*** user=app"},
		{[]string{"/usr/bin/node", "/srv/app/server.js"}, "node server.js"},
		{[]string{"job", "--password=hunter2", "--token:hunter2", "-x"}, "job --password=*** --token:*** -x"},
		{[]string{"job", "--password", "hunter 2", "--api-key", "-x"}, "job --password *** --api-key -x"},
		{[]string{"job --password hunter2 -x"}, "job --password *** -x"},
		{[]string{"job", "--password=hunter 2"}, "job --password=***"},
		{[]string{"env", "PGPASSWORD=hunter2 hunter2", "psql"}, "env PGPASSWORD=*** psql"},
		{[]string{"sh", "-c", "PGPASSWORD=hunter2 vite dev"}, "sh -c PGPASSWORD=*** vite dev"},
		{[]string{"job", `{"password": "hunter2", "user": "app"}`}, `job {"password": ***, "user": "app"}`},
		{[]string{"node", "--passive", "http://localhost:3000/"}, "node --passive http://localhost:3000/"},
		{[]string{"evil\x1b[2J\x07\ttitle\r\n"}, "evil [2J title"},
	} {
		p := Process{Args: c.args}
		if got := p.Command(); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(verb, StopOutcome{Process: p}); strings.Contains(got, "hunter") {
				t.Errorf("%s tells the password: %s", verb, got)
			}
		}
	}
	if got := (Process{Args: []string{strings.Repeat("a", 500)}}).Command(); len([]rune(got)) != commandWidth {
		t.Errorf("%d characters", len([]rune(got)))
	}
}
