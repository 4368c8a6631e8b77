package dbtasks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/cli"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// pages are the README and all that it leads to in this repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	list := map[string]string{}
	for _, file := range append(files, "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list[file] = string(text)
	}
	return list
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// anchors are the places of a page that a link may name, as GitHub names them.
func anchors(text string) (list []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(m[1])))
	}
	return list
}

func TestEveryLinkOfThePagesLeadsSomewhere(t *testing.T) {
	t.Parallel()
	all, links := pages(t), 0
	for file, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			path, anchor, hasAnchor := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			links++
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
			}
			page, err := os.ReadFile(target)
			if err != nil {
				if info, dirErr := os.Stat(target); dirErr != nil || !info.IsDir() {
					t.Errorf("%s links to %s: %v", file, m[1], err)
				}
				continue
			}
			if hasAnchor && !slices.Contains(anchors(string(page)), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", file, m[1], target)
			}
		}
	}
	if links < 20 {
		t.Errorf("%d links were found", links)
	}
}

// called are the commands of a page that call a target: in code, at the
// beginning of a line or between backquotes.
var called = regexp.MustCompile("(?m)(?:^    |`)((?:[~\\w./-]*bin/dbtasks|mage|go tool mage|npx dbtasks|npm run) (?:db|dev):[^`#\n]*)")

func commandsOf(text string) (list []string) {
	for _, m := range called.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.TrimSpace(m[1]))
	}
	return list
}

// arguments are what a command hands to the runbook.
func arguments(command string) []string {
	fields := strings.Fields(command)
	at := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, "db:") || strings.HasPrefix(f, "dev:") })
	return fields[at:]
}

func TestEveryCommandOfThePagesIsOne(t *testing.T) {
	t.Parallel()
	found := 0
	for file, text := range pages(t) {
		for _, command := range commandsOf(text) {
			found++
			if strings.Contains(command, " --") { // npm's own
				continue
			}
			if _, err := cli.Read("dbtasks", arguments(strings.NewReplacer("…", "").Replace(command)), func() []string { return nil }); err != nil {
				t.Errorf("%s: %s: %v", file, command, err)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d commands were found", found)
	}
}

// What can be run of the README is run, as it stands there, in a project with
// sessions that idle. dev:init, dev:check and dev:verify want an app: the tests
// of the apps run them.
func TestTheCommandsOfTheREADMERun(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, command := range commandsOf(string(text)) {
		if line := strings.Join(arguments(command), " "); !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	ran := 0
	for _, line := range list {
		target, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"dev:init", "dev:check", "dev:verify"}, target) {
			continue
		}
		ran++
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, pgserver.DisposableOptions{})
			db := s.NewDatabase()
			db.Open(2, "leak")
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"shop","scripts":{"dev":"exit 0"}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(line)
			if target == "db:monitor" {
				args = append(args, "-for=300ms", "-every=100ms") // it runs until it is ended
			}
			o := runIn(t, dir, []string{"DATABASE_URL=" + db.URL("connection_limit=5"), "DBTASKS_DEV_COMMAND=exit 0"}, args...)
			if o.code != 0 {
				t.Errorf("%s", o)
			}
		})
	}
	if ran < 7 {
		t.Errorf("%d commands were run", ran)
	}
	if words := len(strings.Fields(string(text))); words > 1300 {
		t.Errorf("the README has %d words", words)
	}
}

// Every word that a failure may have is one that scripts may look for.
func TestEveryCauseOfAFailedLoginIsDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("internal/pgops/cause.go")
	if err != nil {
		t.Fatal(err)
	}
	page := pages(t)["docs/targets.md"]
	words := regexp.MustCompile(`Cause\w+\s+Cause = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	for _, w := range words {
		if w[1] != "cancelled" && w[1] != "unknown" && !strings.Contains(page, "`"+w[1]+"`") {
			t.Errorf("docs/targets.md does not list %s", w[1])
		}
	}
	if len(words) < 30 {
		t.Errorf("%d causes were found", len(words))
	}
}
