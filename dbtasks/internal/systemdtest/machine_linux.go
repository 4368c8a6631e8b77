package systemdtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// Machine is a booted one.
type Machine struct {
	leader  int // its systemd, as this machine counts
	keeper  *exec.Cmd
	pipe    io.WriteCloser
	stopped sync.Once
}

// machine is shared by the tests of one binary: a boot takes seconds.
var machine struct {
	sync.Mutex
	m   *Machine
	err error
	did bool
}

// Start returns the machine of this test binary, booted at the first call.
// TestMain calls Stop. The test is skipped where there can't be one
// (Unavailable).
func Start(t testing.TB) *Machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("no machine with systemd: only root can make one")
	}
	machine.Lock()
	defer machine.Unlock()
	if !machine.did {
		machine.did = true
		began := time.Now()
		machine.m, machine.err = boot()
		t.Logf("the machine took %s", time.Since(began).Round(time.Millisecond))
	}
	if machine.err != nil {
		Unavailable(t, machine.err.Error())
	}
	return machine.m
}

// Stop powers the machine of this test binary off, if there is one.
func Stop() {
	machine.Lock()
	defer machine.Unlock()
	if machine.m != nil {
		machine.m.stop()
	}
}

func boot() (*Machine, error) {
	for _, program := range []string{"apt-get", "dpkg", "nsenter", "chroot"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, errors.New("there is no " + program + " here")
		}
	}
	m := &Machine{keeper: reexec.Command(context.Background(), keeperRole)}
	m.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setsid: true}
	m.keeper.Stderr = os.Stderr
	var err error
	if m.pipe, err = m.keeper.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.keeper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.keeper.Start(); err != nil {
		return nil, fmt.Errorf("start the machine's keeper: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	leader, bad := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || bad != nil {
		m.stop()
		return nil, errors.New(strings.TrimSpace(line))
	}
	m.leader = leader
	return m, nil
}

func (m *Machine) stop() {
	m.stopped.Do(func() {
		_ = m.pipe.Close() // the keeper powers it off then, and when we are killed
		_ = m.keeper.Wait()
	})
}

// Command is a command of the machine's root.
func (m *Machine) Command(args ...string) *exec.Cmd {
	leader := strconv.Itoa(m.leader)
	cmd := exec.Command("nsenter", append([]string{"-t", leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"}
	return cmd
}

// Try runs a command as the machine's root, and returns its output and its
// standard error.
func (m *Machine) Try(args ...string) (string, error) {
	out, err := m.Command(args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Run is Try; the test fails where the command does.
func (m *Machine) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := m.Try(args...)
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// As runs a shell command as a user of the machine, in a login session of its
// own as after ssh.
func (m *Machine) As(user, command string) (string, error) {
	return m.Try("systemd-run", "-q", "--pipe", "--wait", "--collect", "-p", "User="+user, "-p", "PAMName=login", "-p", "WorkingDirectory=~", "--", "bash", "-lc", command)
}

// Root is the machine's file system as this machine sees it.
func (m *Machine) Root() string { return fmt.Sprintf("/proc/%d/root", m.leader) }

// Put writes a file there.
func (m *Machine) Put(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	file := filepath.Join(m.Root(), path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

// Program is where this test binary lies on the machine.
const Program = "/usr/local/bin/dbtasks-test"

// Version is the PostgreSQL of the stock cluster, "15".
func (m *Machine) Version(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob(m.Root() + "/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Fatal("no PostgreSQL on the machine")
	}
	return filepath.Base(filepath.Dir(filepath.Dir(found[len(found)-1])))
}
