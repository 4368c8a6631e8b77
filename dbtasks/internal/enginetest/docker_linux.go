package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// DockerOptions are settings of the daemon.
type DockerOptions struct {
	// NoProxy is userland-proxy=false: the kernel forwards published ports, and
	// dockerd itself holds them. Default: docker-proxy does.
	NoProxy bool
}

// daemon is the one dockerd of the machine. A test that wants other settings
// waits until no other test uses it.
var daemon struct {
	users daemonUsers

	mu      sync.Mutex // guards what follows
	cmd     *exec.Cmd
	options DockerOptions
	gone    chan struct{} // closed when cmd has ended
	ready   bool          // it has the images
}

// Docker is the machine's Docker Engine at /run/docker.sock, which belongs to
// group docker; it is started for the first test. A test with options other than
// the default ones has it for itself, and asks for it once only.
func Docker(t testing.TB, o DockerOptions) *Engine {
	t.Helper()
	require(t, "dockerd", "docker", "iptables")
	t.Cleanup(daemon.users.enter(o != DockerOptions{}))
	e := newEngine(t, "docker")
	if err := e.startDaemon(o); err != nil {
		t.Fatal(err)
	}
	return e
}

// daemonUsers are the tests that use the daemon: many, or one alone. Unlike with
// a sync.RWMutex, one that waits to be alone keeps no other out: a test may ask
// for the daemon twice, and so may its subtests.
type daemonUsers struct {
	mu    sync.Mutex
	many  int
	alone bool
	left  chan struct{} // closed when one leaves; nil: nobody waits
}

// enter waits until the daemon may be used; leave is called when it is not any
// more.
func (u *daemonUsers) enter(alone bool) (leave func()) {
	for {
		u.mu.Lock()
		if !u.alone && (!alone || u.many == 0) {
			if u.alone = alone; !alone {
				u.many++
			}
			u.mu.Unlock()
			return func() { u.leave(alone) }
		}
		if u.left == nil {
			u.left = make(chan struct{})
		}
		left := u.left
		u.mu.Unlock()
		<-left
	}
}

func (u *daemonUsers) leave(alone bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.alone = false; !alone {
		u.many--
	}
	if u.left != nil {
		close(u.left)
		u.left = nil
	}
}

func (e *Engine) startDaemon(o DockerOptions) error {
	daemon.mu.Lock()
	defer daemon.mu.Unlock()
	if daemon.cmd != nil && daemon.options != o {
		_ = daemon.cmd.Process.Signal(syscall.SIGTERM)
		<-daemon.gone
		daemon.cmd = nil
	}
	if daemon.cmd == nil {
		const settings, log = "/run/dockerd.json", "/run/dockerd.log"
		if err := os.WriteFile(settings, []byte("{}"), 0o600); err != nil {
			return err
		}
		out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer out.Close()
		cmd := exec.Command("dockerd", "--config-file", settings, "--cgroup-parent=/"+Machine()+"/docker",
			fmt.Sprintf("--userland-proxy=%v", !o.NoProxy))
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start dockerd: %w", err)
		}
		gone := make(chan struct{})
		go func() { _ = cmd.Wait(); close(gone) }()
		daemon.cmd, daemon.options, daemon.gone = cmd, o, gone
		if err := e.await(gone, log); err != nil {
			return err
		}
	}
	if !daemon.ready {
		if err := e.importImages(); err != nil {
			return err
		}
		daemon.ready = true
	}
	return nil
}

// RootlessDocker is the Docker Engine of an ordinary user, who needs no group for
// it; the user's context leads there. rootlesskit, the user's own process, holds
// its ports. It ends with the machine.
func RootlessDocker(t testing.TB, user *Account) *Engine {
	t.Helper()
	require(t, "dockerd", "docker", "rootlesskit", "newuidmap", "slirp4netns")
	const script = "/usr/share/docker.io/contrib/dockerd-rootless.sh" // Debian's; others have it in PATH
	start := user.Command([]string{"PATH=" + os.Getenv("PATH") + ":" + filepath.Dir(script)}, "sh", "-c", "exec dockerd-rootless.sh")
	log := filepath.Join(user.Home, "dockerd.log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	start.Stdout, start.Stderr = out, out
	if err := openTun(); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, "docker")
	e.User = user
	for _, args := range [][]string{{"context", "create", "rootless", "--docker", "host=unix://" + user.runtimeDir() + "/docker.sock"}, {"context", "use", "rootless"}} {
		e.Run(args...)
	}
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = start.Wait(); close(gone) }()
	if err := e.await(gone, log); err != nil {
		t.Fatal(err)
	}
	if err := e.importImages(); err != nil {
		t.Fatal(err)
	}
	return e
}

// await waits until the daemon answers.
func (e *Engine) await(gone <-chan struct{}, log string) error {
	for deadline := time.Now().Add(patience); ; {
		_, err := e.try("version")
		if err == nil {
			return nil
		}
		select {
		case <-gone:
			err = fmt.Errorf("it ended at its start: %w", err)
		case <-time.After(20 * time.Millisecond):
			if time.Now().Before(deadline) {
				continue
			}
		}
		text, _ := os.ReadFile(log)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return fmt.Errorf("start %s: %w: %s", e.Program, err, strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
}
