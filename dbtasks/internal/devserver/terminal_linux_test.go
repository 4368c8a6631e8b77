package devserver

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// terminal is a pseudo terminal: what is written to keys is typed there.
type terminal struct {
	fd        int // of keys
	keys, tty *os.File
	mu        sync.Mutex
	shown     bytes.Buffer // guarded by mu
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	// Not blocking: closing it must not wait for the reader below.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = keys.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	term := &terminal{fd: fd, keys: keys, tty: tty}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := keys.Read(buf)
			term.mu.Lock()
			term.shown.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return term
}

func (term *terminal) press(t *testing.T, key string) {
	t.Helper()
	if _, err := term.keys.WriteString(key); err != nil {
		t.Fatal(err)
	}
}

func (term *terminal) shows(text string) bool {
	term.mu.Lock()
	defer term.mu.Unlock()
	return bytes.Contains(term.shown.Bytes(), []byte(text))
}

func (term *terminal) settings(t *testing.T) unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(term.fd, getTermios)
	if err != nil {
		t.Fatal(err)
	}
	return *settings
}

func TestTheTerminalsKeysReachTheCommandAndItsSettingsComeBack(t *testing.T) {
	t.Parallel()
	term := openTerminal(t)
	before := term.settings(t)
	s := stage(t, Command{Args: serverLine(t, "keys", "-")}, "shell", term.tty, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0})
	s.ready(t, 0)
	job := -s.main // the group that main leads

	term.press(t, "r")
	eventually(t, 5*time.Second, "the server reads r", func() bool { return term.shows(`key "r"`) })
	if term.settings(t).Lflag == before.Lflag {
		t.Fatal("the server did not change the terminal: nothing to put back")
	}

	term.press(t, "\x1a") // Ctrl+Z
	eventually(t, 5*time.Second, "everything but the shell and the watcher is stopped", func() bool {
		stopped := 0
		for _, p := range s.tree {
			if now, err := hostops.Find(p.PID); err == nil && now.State == hostops.Stopped {
				stopped++
			}
		}
		return stopped == len(s.tree)-2
	})
	kill(t, job, syscall.SIGCONT) // fg
	term.press(t, "x")
	eventually(t, 5*time.Second, "the server reads x after fg", func() bool { return term.shows(`key "x"`) })

	began := time.Now()
	term.press(t, "\x03") // Ctrl+C
	s.gone(t)
	if took := time.Since(began); took > interruptGrace {
		t.Errorf("took %v", took)
	}
	if r := s.result(t); r.ExitCode != 130 {
		t.Errorf("result %+v", r)
	}
	if term.settings(t) != before {
		t.Errorf("the terminal was left as the server had it")
	}
}

func TestAClosedTerminalEndsTheTree(t *testing.T) {
	t.Parallel()
	term := openTerminal(t)
	s := stage(t, Command{Args: serverLine(t, "server", "polite")}, "shell", term.tty, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0})
	s.ready(t, sleepers())
	_ = term.tty.Close()
	_ = term.keys.Close()
	s.gone(t)
}
