package enginetest

import (
	"fmt"
	"os"
	"os/exec"
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

// daemon is the one dockerd of the machine. A test holds it for reading as long
// as it runs; one that wants other settings waits until all others let go.
var daemon struct {
	inUse   sync.RWMutex
	mu      sync.Mutex // guards what follows
	cmd     *exec.Cmd
	options DockerOptions
	gone    chan struct{} // closed when cmd has ended
	ready   bool          // it has the images
}

// Docker is the machine's Docker Engine at /run/docker.sock, which belongs to
// group docker; it is started for the first test. A test with options other than
// the default ones has it for itself, and may ask for it once only.
func Docker(t testing.TB, o DockerOptions) *Engine {
	t.Helper()
	require(t, "dockerd", "docker", "iptables")
	if o == (DockerOptions{}) {
		daemon.inUse.RLock()
		t.Cleanup(daemon.inUse.RUnlock)
	} else {
		daemon.inUse.Lock()
		t.Cleanup(daemon.inUse.Unlock)
	}
	e := newEngine(t, "docker")
	if err := e.startDaemon(o); err != nil {
		t.Fatal(err)
	}
	return e
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
