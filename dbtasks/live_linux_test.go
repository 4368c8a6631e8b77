package dbtasks

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/screen/live"
)

// terminal is a pseudo terminal with a program in it, and what is on its
// screen.
type terminal struct {
	t      *testing.T
	keys   *os.File
	tty    *os.File
	before *unix.Termios
	screen vt10x.Terminal
	cmd    *exec.Cmd
	ended  chan struct{}

	mu    sync.Mutex
	shown bytes.Buffer // all that was written, guarded by mu
}

// inTerminal runs the compiled runbook in a terminal of 80 by 24.
func inTerminal(t *testing.T, dir string, env []string, args ...string) *terminal {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(keys, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, keys: keys, tty: tty, ended: make(chan struct{}), screen: vt10x.New(vt10x.WithSize(80, 24), vt10x.WithWriter(keys))}
	term.before = term.state()
	term.cmd = exec.Command(binary(t), args...)
	term.cmd.Dir = dir
	term.cmd.Env = append(append(withoutSettings(os.Environ()), "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=", "NO_COLOR="), env...)
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = tty, tty, tty
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = term.cmd.Wait()
		close(term.ended)
	}()
	go func() {
		buf := make([]byte, 8192)
		for {
			n, err := keys.Read(buf)
			term.mu.Lock()
			term.shown.Write(buf[:n])
			term.mu.Unlock()
			_, _ = term.screen.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = term.cmd.Process.Kill()
		<-term.ended
		_ = tty.Close()
		_ = keys.Close()
	})
	return term
}

func (term *terminal) state() *unix.Termios {
	state, err := unix.IoctlGetTermios(int(term.tty.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return state
}

func (term *terminal) text() string { return term.screen.String() }

// waitFor waits until all of the words are on the screen at once.
func (term *terminal) waitFor(words ...string) {
	term.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		text, missing := term.text(), ""
		for _, w := range words {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("%q is not on the screen:\n%s", missing, text)
		}
		select {
		case <-term.ended:
			term.t.Fatalf("it ended before %q was on the screen:\n%s", missing, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (term *terminal) typeKeys(keys string) {
	term.t.Helper()
	if _, err := io.WriteString(term.keys, keys); err != nil {
		term.t.Fatal(err)
	}
}

// sane checks that the program is gone and the terminal is as it was.
func (term *terminal) sane() {
	term.t.Helper()
	select {
	case <-term.ended:
	case <-time.After(10 * time.Second):
		term.t.Fatalf("it runs still:\n%s", term.text())
	}
	if after := term.state(); !reflect.DeepEqual(after, term.before) {
		term.t.Errorf("the terminal's modes were changed: %+v, before %+v", after, term.before)
	}
	pgtest.Eventually(term.t, 5*time.Second, "the screen was given back and the cursor is shown", func() bool {
		term.mu.Lock()
		defer term.mu.Unlock()
		all := term.shown.String()
		return strings.LastIndex(all, "\x1b[?1049l") > strings.LastIndex(all, "\x1b[?1049h") && strings.LastIndex(all, "\x1b[?25h") > strings.LastIndex(all, "\x1b[?25l")
	})
}

func TestOnATerminalOneLookTellsTheLeakAndOneKeyAndAYFreeIt(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	dir := t.TempDir()
	leak := func(n int) {
		pgtest.StartLeak(t, pgtest.LeakOptions{URL: db.URL("application_name=shop"), Sessions: n, Dir: dir})
	}
	admin := s.Admin("postgres")
	busy := db.Open(1, "migration")[0]
	if _, err := busy.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	svg := filepath.Join(dir, "run.svg")
	term := inTerminal(t, dir, []string{"DATABASE_URL=" + db.URL("connection_limit=5")}, "db:monitor", "-every=250ms", "-svg="+svg)
	term.waitFor("3 of 17 usable slots", "1 in transaction")
	leak(7)
	term.waitFor("10 of 17 usable slots", "LEAK: 7 held, 7 idle, +7 within a minute", "▲7", "7 idle")
	leak(7)
	term.waitFor("FULL: 17 of 17 usable slots; the next login is refused")
	if n := pgtest.Count(t, admin, "application_name = 'dbtasks'"); n != 1 {
		t.Errorf("%d sessions of the tool", n)
	}
	term.typeKeys("c")
	term.waitFor("End 14 idle sessions of database", "any other key")
	term.typeKeys("y")
	term.waitFor("Ended 14 idle sessions, all gone; 14 of 17 usable slots are free.", "3 of 17 usable slots")
	if n := pgtest.Count(t, admin, "application_name = 'shop'"); n != 0 {
		t.Errorf("%d sessions of the leak are left", n)
	}
	if err := busy.Ping(t.Context()); err != nil {
		t.Errorf("the transaction was ended, too: %v", err)
	}
	if err := pty.Setsize(term.keys, &pty.Winsize{Rows: 40, Cols: 140}); err != nil {
		t.Fatal(err)
	}
	term.screen.Resize(140, 40)
	term.waitFor("c cleanup idle  C all  Enter open", "APPLICATION")
	term.typeKeys("q")
	term.sane()
	if code := term.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit %d after a peak above -warn, want 1", code)
	}
	if picture, err := os.ReadFile(svg); err != nil || !bytes.Contains(picture, []byte("14 ended")) {
		t.Errorf("the picture: %v\n%s", err, picture)
	}
}

func TestTheLiveScreenSurvivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	term := inTerminal(t, t.TempDir(), []string{"DATABASE_URL=" + db.URL("connection_limit=5&connect_timeout=1")}, "db:monitor", "-every=250ms")
	term.waitFor("1 of 17 usable slots")
	pm, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	var backend int
	admin := s.Admin("postgres")
	if err := admin.QueryRow(t.Context(), "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbtasks'").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pm.PID, syscall.SIGSTOP); err != nil { // the test's own server
		t.Fatal(err)
	}
	if err := syscall.Kill(backend, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	term.waitFor("NO ANSWER for", "since")
	if err := syscall.Kill(pm.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	term.waitFor("2 of 17 usable slots")
	subject, err := pgserver.SubjectOf(pm.PID)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgserver.PlanRestart(subject, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	term.waitFor("of 17 usable slots")
	admin = s.Admin("postgres")
	pgtest.Eventually(t, 10*time.Second, "the new server has one session of the monitor", func() bool {
		return pgtest.Count(t, admin, "application_name = 'dbtasks'") == 1
	})
	term.typeKeys("\x03") // Ctrl+C
	term.sane()
	pgtest.Eventually(t, 5*time.Second, "no session is left", func() bool { return pgtest.Count(t, admin, "application_name = 'dbtasks'") == 0 })
}

func TestASignalGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			term := inTerminal(t, t.TempDir(), []string{"DATABASE_URL=" + db.URL("connection_limit=5")}, "db:monitor", "-every=1s")
			term.waitFor("of 17 usable slots")
			if err := term.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			term.sane()
		})
	}
}

func TestATerminalThatDisappearsEndsTheMonitor(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	term := inTerminal(t, t.TempDir(), []string{"DATABASE_URL=" + db.URL("connection_limit=5")}, "db:monitor", "-every=1s")
	term.waitFor("of 17 usable slots")
	if err := errors.Join(term.tty.Close(), term.keys.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-term.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it runs on without a terminal")
	}
	pgtest.Eventually(t, 5*time.Second, "no session is left", func() bool { return s.Sessions(db.Name) == 0 })
}

func TestWithoutATerminalTheMonitorIsLines(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	for _, env := range []string{"TERM=xterm-256color", "TERM=dumb"} {
		o := runIn(t, t.TempDir(), []string{env, "DATABASE_URL=" + db.URL("connection_limit=5")}, "db:monitor", "-every=50ms", "-for=200ms")
		if o.code != 0 || strings.Contains(o.stdout, "\x1b") || !strings.Contains(o.stdout, "of 17 usable slots") {
			t.Errorf("%s: %s", env, o)
		}
	}
}

func TestATerminalOfAnySizeIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	db := s.NewDatabase()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	defer tty.Close()
	huge := &pty.Winsize{Rows: 65535, Cols: 65535}
	if err := pty.Setsize(keys, huge); err != nil {
		t.Fatal(err)
	}
	if live.Drawable(tty) {
		t.Error("a terminal of 65535 times 65535 is drawn on")
	}
	term := inTerminal(t, t.TempDir(), []string{"DATABASE_URL=" + db.URL("connection_limit=5")}, "db:monitor", "-every=1s")
	term.waitFor("of 17 usable slots")
	if err := pty.Setsize(term.keys, huge); err != nil { // it grows while it is drawn on
		t.Fatal(err)
	}
	if err := term.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	term.sane()
}
