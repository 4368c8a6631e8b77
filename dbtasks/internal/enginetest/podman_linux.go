package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// podman is the machine's Podman, made ready once.
var podman struct {
	once sync.Once
	err  error
}

// PodmanSocket is where its service listens, for root alone, as on a system
// with podman.socket.
const PodmanSocket = "/run/podman/podman.sock"

// Podman is the machine's rootful Podman. It has no daemon; its service is
// started, too.
func Podman(t testing.TB) *Engine {
	t.Helper()
	require(t, "podman", "iptables")
	e := newEngine(t, "podman")
	podman.once.Do(func() { podman.err = e.preparePodman() })
	if podman.err != nil {
		t.Fatal(podman.err)
	}
	return e
}

// RootlessPodman is the Podman of an ordinary user, who needs no group for it:
// its containers run as the user's subordinate accounts, and their ports are held
// by a process of the user's, rootlessport.
func RootlessPodman(t testing.TB, user *Account) *Engine {
	t.Helper()
	Podman(t) // the settings in /etc
	require(t, "newuidmap", "slirp4netns")
	e := newEngine(t, "podman")
	e.User = user
	if err := openTun(); err != nil {
		t.Fatal(err)
	}
	if err := e.importImages(); err != nil {
		t.Fatal(err)
	}
	return e
}

// openTun lets everybody on this machine make network devices, as systems that
// users work on do; the device file of the system below stays as it is.
var openTun = sync.OnceValue(func() error {
	const ours, device = "/run/tun", "/dev/net/tun"
	if _, err := os.Stat(device); err != nil {
		return err
	}
	if err := unix.Mknod(ours, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 200))); err != nil {
		return fmt.Errorf("make %s: %w", ours, err)
	}
	if err := unix.Chmod(ours, 0o666); err != nil {
		return err
	}
	return unix.Mount(ours, device, "", unix.MS_BIND, "")
})

func (e *Engine) preparePodman() error {
	// There is no systemd here that could make control groups or keep a journal.
	const settings = "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n[containers]\nlog_driver = \"k8s-file\"\n"
	if err := os.MkdirAll("/etc/containers", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/containers/containers.conf", []byte(settings), 0o644); err != nil { //nolint:gosec // every user's Podman reads it
		return err
	}
	if err := os.MkdirAll("/run/podman", 0o700); err != nil {
		return err
	}
	if err := e.importImages(); err != nil {
		return err
	}
	cmd := exec.Command("podman", "system", "service", "--time=0", "unix://"+PodmanSocket)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Podman's service: %w", err)
	}
	return nil
}
