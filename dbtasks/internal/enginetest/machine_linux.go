package enginetest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// initRole is the first process of a machine: it makes what a machine has, runs
// the tests, and waits for whatever lost its parent. With its end the kernel
// ends all that runs on the machine.
const initRole = "enginetest-init"

func init() { reexec.Register(initRole, machineInit) }

func machineAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
}

// machineInit runs this executable with args on the machine; without args it
// only makes the machine.
func machineInit(args []string) int {
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if len(args) == 0 {
		return 0
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // ends when the network is there
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tests, err := os.StartProcess(self, append([]string{self}, args...), &os.ProcAttr{
		Env: append(slices.DeleteFunc(os.Environ(), leadsAway), "TMPDIR=/run/tmp"), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(otherFD, "the other machine's")},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR || err == nil && pid != tests.Pid:
		case err != nil || status.Signaled():
			fmt.Fprintln(os.Stderr, "the tests ended:", err, status.Signal())
			return 1
		default:
			return status.ExitStatus()
		}
	}
}

// leadsAway tells whether a variable leads a user's programs to an engine or a
// server that is not this machine's.
func leadsAway(variable string) bool {
	for _, prefix := range []string{"DOCKER_", "CONTAINER", "XDG_RUNTIME_DIR=", "PG", "DATABASE_URL="} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

// furnish gives a new machine its file systems and its loopback. The places of
// engines and of running services are empty, and /etc takes accounts that
// nobody else sees.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part from the mounts of this machine: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// /dev/shm has the locks of Podman's containers, by user.
	empty := []string{"/run", "/dev/shm", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers"}
	for _, dir := range empty {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	home := os.Getenv("HOME")
	for _, dir := range []string{home + "/.docker", home + "/.config/containers"} { // endpoints that the user chose
		if _, err := os.Stat(dir); err == nil {
			empty = append(empty, dir)
		}
	}
	for _, dir := range empty {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount an empty %s: %w", dir, err)
		}
	}
	for dir, mode := range map[string]os.FileMode{"/run/lock": 0o1777, "/run/tmp": 0o1777, "/dev/shm": 0o1777, "/run/user": 0o755, "/run/etc/own": 0o755, "/run/etc/work": 0o755} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		if err := unix.Chmod(dir, uint32(mode)); err != nil {
			return err
		}
	}
	if err := unix.Mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/run/etc/own,workdir=/run/etc/work"); err != nil {
		// Overlays do not stack without end: in a container, a copy does.
		if out, err := exec.Command("cp", "-a", "/etc/.", "/run/etc/own").CombinedOutput(); err != nil {
			return fmt.Errorf("copy /etc: %w: %s", err, out)
		}
		if err := unix.Mount("/run/etc/own", "/etc", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount an /etc of its own: %w", err)
		}
	}
	// Settings of an engine of this machine may name its folders and sockets.
	for _, settings := range []string{"/etc/docker", "/etc/containers/storage.conf", "/etc/containers/containers.conf", "/etc/containers/containers.conf.d"} {
		if err := os.RemoveAll(settings); err != nil {
			return err
		}
	}
	return loopbackUp()
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring the loopback up: %w", err)
	}
	return nil
}

// controlGroups are the folders of a machine's control groups, in each
// hierarchy: those of its containers are below.
func controlGroups(machine string) []string {
	var dirs []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(pattern + machine)
		dirs = append(dirs, found...)
	}
	return dirs
}

// removeGroup removes a control group with those below it; it fails where a
// process is in one.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeGroup(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(strings.TrimSuffix(dir, "/"))
}
