package runbook

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const client = "export const pool = makePool();\r\n// no newline at the end"

// opened is a module under proof, two days old.
func opened(t *testing.T, text string) (path string, at time.Time, m []*module) {
	t.Helper()
	root := t.TempDir()
	path = filepath.Join(root, "db.ts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at = time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	m, err := openModules(root, []string{"db.ts"})
	if err != nil {
		t.Fatal(err)
	}
	return path, at, m
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAModuleIsAsItWasWhenTheProofIsOver(t *testing.T) {
	t.Parallel()
	path, at, m := opened(t, client)
	for _, url := range []string{"http://127.0.0.1:1/1", "http://127.0.0.1:1/2"} {
		if err := m[0].touch(url); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, path) == client {
		t.Fatal("it was not touched")
	}
	closeModules(m) // the pipe's end is what the keeper sees of our death, too
	if got := read(t, path); got != client {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(at) {
		t.Errorf("its time is %v, was %v", info.ModTime(), at)
	}
}

func TestAnEditMadeMeanwhileStays(t *testing.T) {
	t.Parallel()
	path, _, m := opened(t, client)
	if err := m[0].touch("http://127.0.0.1:1/1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("export const pool = better();"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m[0].touch("http://127.0.0.1:1/2"); !errors.Is(err, errEdited) {
		t.Errorf("the next touch: %v", err)
	}
	closeModules(m)
	if got := read(t, path); got != "export const pool = better();" {
		t.Errorf("%q", got)
	}
}

func TestATouchThatWasCutShortIsTakenAwayAndAnEditBehindItIsNot(t *testing.T) {
	t.Parallel()
	line := reportStart + "\"http://127.0.0.1:1/1\").catch(() => {}); " + reportMark
	for text, want := range map[string]string{
		client + line:                    client,
		client + line[:1]:                client, // a full disk, or a kill
		client + line[:len(line)-20]:     client,
		client + line + "let mine = 1":   client + line + "let mine = 1",
		client + "\nlet mine = 1":        client + "\nlet mine = 1",
		client[:len(client)-5]:           client[:len(client)-5],
		"let mine = 1\n" + client + line: "let mine = 1\n" + client + line,
		"":                               "",
	} {
		path, _, m := opened(t, client)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		closeModules(m)
		if got := read(t, path); got != want {
			t.Errorf("%q\nbecame %q", text, got)
		}
	}
}

func TestTheLineOfARunThatWasKilledIsTakenAwayByTheNext(t *testing.T) {
	t.Parallel()
	path, _, m := opened(t, client+"\n;void fetch(\"http://127.0.0.1:1/9\").catch(() => {}); "+reportMark)
	closeModules(m)
	if got := read(t, path); got != client {
		t.Errorf("%q", got)
	}
}

func TestOnePoolThatFillsUpLateIsToldFromPoolsLeftBehind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		counts []int
		grows  bool
	}{
		{[]int{3, 3, 5, 5}, false}, // seen on a busy machine, of a pool of 5
		{[]int{5, 5, 5, 5}, false},
		{[]int{1, 2, 3, 4}, true}, // pools of one session each
		{[]int{2, 4, 6, 8}, true},
		{[]int{3, 6, 9, 9, 3}, true}, // it heals meanwhile
		{[]int{7, 15, 22}, true},
		{[]int{4}, false},
	} {
		if g := growthOf(c.counts, 5); g >= leastGrowing != c.grows {
			t.Errorf("%v: grows %.1f a reload", c.counts, g)
		}
	}
}
