package runbook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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
	m, err := openModules(root, root, []string{"db.ts"})
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
	for _, url := range []string{reportedAt, "http://127.0.0.1:4711/evaluated/13/0"} {
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
	if err := m[0].touch(reportedAt); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("export const pool = better();"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m[0].touch(reportedAt); !errors.Is(err, errEdited) {
		t.Errorf("the next touch: %v", err)
	}
	if seen := closeModules(m); len(seen) != 1 || !strings.Contains(seen[0], "edited meanwhile") {
		t.Errorf("it said %q", seen)
	}
	if got := read(t, path); got != "export const pool = better();" {
		t.Errorf("%q", got)
	}
}

const reportedAt = "http://127.0.0.1:4711/evaluated/12/0"

func TestOurLineIsTakenOutOfWhateverTheFileHasBecome(t *testing.T) {
	t.Parallel()
	line := string(reportLine(reportedAt))
	const plain = "export const pool = makePool();\n"
	for text, want := range map[string]string{
		client + line:                    client,
		plain + line:                     plain,
		client + line[:len(line)-20]:     client, // a full disk
		client + line[:30]:               client,
		client + line + "let mine = 1":   client + "\nlet mine = 1",
		plain + line + "let mine = 1\n":  plain + "let mine = 1\n",
		client + "\nlet mine = 1":        client + "\nlet mine = 1",
		client[:len(client)-5]:           client[:len(client)-5],
		"let mine = 1\n" + client + line: "let mine = 1\n" + client,
		"":                               "",
		plain + "\nvoid fetch('" + reportedAt + "').catch(() => {}) // mine " + reportMark + "\n":       plain + "\n// mine\n",
		plain + "void fetch(\n  `" + reportedAt + "`,\n).catch(\n  () => {},\n);\n" + reportMark + "\n": plain,
		plain + strings.TrimSuffix(line, "\n") + " mine\n":                                              plain + "\n// mine\n",
		strings.ReplaceAll(plain+line, "\n", "\r\n"):                                                    strings.ReplaceAll(plain, "\n", "\r\n"),
		plain + "const report = fetch('" + reportedAt + "')\n":                                          plain + "const report = fetch('" + reportedAt + "')\n",
		plain + line + line: plain,
		plain + "\n;void fetch(\"http://127.0.0.1:1/x\").catch(() => {}); " + reportMark + "\n": plain,
	} {
		path, _, m := opened(t, client)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		closeModules(m)
		if got := read(t, path); got != want {
			t.Errorf("%q\nbecame %q\nwant   %q", text, got, want)
		}
	}
}

func TestOurLineIsTakenOutWhicheverOfTheTwoIsKilled(t *testing.T) {
	t.Parallel()
	for _, killed := range []string{"keeper", "this process"} {
		path, at, m := opened(t, client)
		if err := m[0].touch(reportedAt); err != nil {
			t.Fatal(err)
		}
		if killed == "keeper" {
			_ = m[0].keeper.Process.Kill()
			if seen := closeModules(m); len(seen) > 0 {
				t.Errorf("it said %q", seen)
			}
		} else { // all that the keeper sees of it
			_ = m[0].in.Close()
			_ = m[0].keeper.Wait()
		}
		if got := read(t, path); got != client {
			t.Errorf("%s killed: %q", killed, got)
		}
		if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(at) {
			t.Errorf("%s killed: its time is %v, was %v", killed, info.ModTime(), at)
		}
	}
	path, _, m := opened(t, client+string(reportLine(reportedAt))) // both were
	closeModules(m)
	if got := read(t, path); got != client {
		t.Errorf("the next run left %q", got)
	}
}

// Somebody saves again and again, as an editor does, while the line is put in
// and taken out: the last save is what is there in the end.
func TestNoSaveIsLostToOurLine(t *testing.T) {
	t.Parallel()
	path, _, m := opened(t, client)
	stop := make(chan struct{})
	var touching sync.WaitGroup
	touching.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				m[0].original = nil // every edit is taken for what was there
				_, _ = rewrite(path, func(now []byte) ([]byte, error) { return append(withoutReport(now), reportLine(reportedAt)...), nil })
			}
		}
	})
	last := ""
	for i := range 300 {
		last = strings.Repeat(fmt.Sprintf("export const hour%d = 'of work';\n", i), 1+i%40)
		if i%2 == 0 {
			if err := os.WriteFile(path, []byte(last), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := errors.Join(os.WriteFile(path+".tmp", []byte(last), 0o600), os.Rename(path+".tmp", path)); err != nil {
			t.Fatal(err)
		}
		if got := string(withoutReport([]byte(read(t, path)))); got != last && runtime.GOOS == "linux" {
			t.Fatalf("save %d: %d bytes of %d are there", i, len(got), len(last))
		}
	}
	close(stop)
	touching.Wait()
	closeModules(m)
	if got := read(t, path); got != last {
		t.Errorf("in the end %d bytes of %d are there", len(got), len(last))
	}
}

func TestALinkOutOfTheProjectIsRefused(t *testing.T) {
	t.Parallel()
	outside, root := filepath.Join(t.TempDir(), "db.ts"), t.TempDir()
	if err := errors.Join(os.WriteFile(outside, []byte(client), 0o600), os.Symlink(outside, filepath.Join(root, "db.ts"))); err != nil {
		t.Fatal(err)
	}
	if _, err := openModules(root, root, []string{"db.ts"}); AsFailure(err).Exit != ExitRefused {
		t.Errorf("%v", err)
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
