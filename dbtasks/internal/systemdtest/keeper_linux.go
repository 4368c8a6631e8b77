package systemdtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// The keeper makes the machine in a mount namespace of its own, which goes with
// it, and powers it off when its standard input ends: the test said so, or is
// gone. Its one line of output is the pid of the machine's systemd, or what is
// wrong.
const keeperRole = "systemdtest-keeper"

func init() { reexec.Register(keeperRole, keep) }

// bootTime bounds the boot on a busy machine.
const bootTime = 90 * time.Second

func keep([]string) int {
	runtime.LockOSThread() // the machine dies with the thread that started it
	dir, err := os.MkdirTemp("", "dbtasks-systemd-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	// Whoever reads our one line may be killed before it: that must not end us.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	over := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(over) }()
	k := keeper{dir: dir, name: filepath.Base(dir), over: over}
	defer k.remove()
	if err := k.make(); err != nil {
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	if err := k.boot(); err != nil {
		k.powerOff()
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	fmt.Println(k.leader)
	<-over
	k.powerOff()
	return 0
}

type keeper struct {
	dir, name string
	over      <-chan struct{} // closed when the test says so, or is gone
	nspawn    *exec.Cmd
	ended     chan struct{}
	leader    int
}

func (k *keeper) root() string { return filepath.Join(k.dir, "root") }

// make lays a writable layer over this machine's file system and puts into it
// what a stock Debian with PostgreSQL has.
func (k *keeper) make() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part from the mounts of this machine: %w", err)
	}
	if err := unix.Mount("tmpfs", k.dir, "tmpfs", 0, "size=2g,mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	for _, sub := range []string{"own", "work", "root"} {
		if err := os.Mkdir(filepath.Join(k.dir, sub), 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=/,upperdir=%s/own,workdir=%s/work", k.dir, k.dir)
	if err := unix.Mount("overlay", k.root(), "overlay", 0, layers); err != nil {
		return fmt.Errorf("mount an overlay: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.root()+Program, program, 0o755); err != nil {
		return err
	}
	if err := k.mountForApt(); err != nil {
		return err
	}
	return k.shell(furnish)
}

// furnish runs in the overlay before the boot. What this machine would start at
// its own boot is not the tests' business.
const furnish = `set -e
export DEBIAN_FRONTEND=noninteractive
missing=
for p in systemd systemd-container dbus libpam-systemd sudo supervisor postgresql; do
  dpkg-query -W -f '${Status}' $p 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
  mkdir -p /etc/postgresql-common
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
  apt-get install -y -q --no-install-recommends $missing || { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; }
fi
: >/etc/machine-id; : >/etc/fstab; rm -f /var/lib/dbus/machine-id /usr/sbin/policy-rc.d
rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires
for u in apt-daily.timer apt-daily-upgrade.timer man-db.timer systemd-resolved systemd-timesyncd systemd-networkd e2scrub_all.timer fstrim.timer dpkg-db-backup.timer getty.target systemd-firstboot docker.socket docker containerd podman.socket podman pgbouncer supervisor; do
  ln -sf /dev/null /etc/systemd/system/$u$(case $u in *.*) ;; *) echo .service;; esac)
done
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s /lib/systemd/system/postgresql.service /etc/systemd/system/multi-user.target.wants/
rm -rf /etc/postgresql/* /var/lib/postgresql/*
chown postgres:postgres /var/lib/postgresql
v=$(ls /usr/lib/postgresql | sort -n | tail -1)
pg_createcluster $v main -p 5432 -- --no-sync
for u in plain password free one linger; do useradd -m -s /bin/bash $u; done
echo password:secret | chpasswd
{
  echo 'password ALL=(ALL) ALL'
  echo 'free ALL=(ALL) NOPASSWD: ALL'
  echo 'one ALL=(ALL) ALL'
  echo "one ALL=(root) NOPASSWD: /usr/bin/systemctl restart postgresql@$v-main.service"
} >/etc/sudoers.d/tests
chmod 440 /etc/sudoers.d/tests
mkdir -p /var/lib/systemd/linger; : >/var/lib/systemd/linger/linger
rm -f /etc/hostname /etc/hosts; echo tests >/etc/hostname
printf '127.0.0.1 localhost tests\n::1 localhost\n' >/etc/hosts # sudo looks its own machine up, and where a name server can't be reached it waits and says so on the terminal
`

// mountForApt gives the overlay what apt-get and its scripts expect.
func (k *keeper) mountForApt() error {
	for _, m := range [][3]string{{"proc", "proc", "/proc"}, {"tmpfs", "tmpfs", "/tmp"}, {"/dev", "", "/dev"}} {
		flags := uintptr(0)
		if m[1] == "" {
			flags = unix.MS_BIND | unix.MS_REC
		}
		if err := unix.Mount(m[0], k.root()+m[2], m[1], flags, ""); err != nil {
			return fmt.Errorf("mount %s for apt-get: %w", m[2], err)
		}
	}
	return nil
}

func (k *keeper) shell(script string) error {
	cmd := exec.Command("chroot", k.root(), "/bin/sh", "-c", script)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	for _, place := range []string{"/dev", "/tmp", "/proc"} {
		_ = unix.Unmount(k.root()+place, unix.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("furnish the machine: %w: %s", err, out[max(0, len(out)-800):])
	}
	return nil
}

// boot starts systemd-nspawn, the overlay's own, in control groups of its own,
// and waits until the machine is up.
func (k *keeper) boot() error {
	k.moveToControlGroups()
	libraries, _ := filepath.Glob(k.root() + "/usr/lib/*-linux-gnu/systemd")
	path := []string{}
	for _, dir := range libraries {
		path = append(path, dir, filepath.Dir(dir))
	}
	console, err := os.Create(filepath.Join(k.dir, "console"))
	if err != nil {
		return err
	}
	defer console.Close()
	k.nspawn = exec.Command(k.root()+"/usr/bin/systemd-nspawn", "-q", "-D", k.root(), "-M", k.name, "--register=no", "--keep-unit", "--private-network", "--console=pipe", "-b")
	k.nspawn.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(path, ":"))
	k.nspawn.Stdout, k.nspawn.Stderr = console, console
	k.nspawn.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := k.nspawn.Start(); err != nil {
		return fmt.Errorf("start systemd-nspawn: %w", err)
	}
	k.ended = make(chan struct{})
	go func() { _ = k.nspawn.Wait(); close(k.ended) }()
	said := func() string {
		text, _ := os.ReadFile(console.Name())
		return string(text[max(0, len(text)-500):])
	}
	for deadline := time.Now().Add(bootTime); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-k.ended:
			return fmt.Errorf("systemd-nspawn ended: %s", said())
		case <-k.over:
			return errors.New("the tests are gone")
		default:
		}
		// systemd-nspawn's first child makes the machine's first process and
		// ends: on a busy machine it is still seen for a while.
		if now := childOf(k.nspawn.Process.Pid); now != 0 {
			k.leader = now
		}
		if k.leader == 0 {
			continue
		}
		m := Machine{leader: k.leader}
		if state, _ := m.Try("systemctl", "is-system-running"); state == "running" || state == "degraded" {
			return nil
		}
	}
	m := Machine{leader: k.leader}
	jobs, _ := m.Try("sh", "-c", "systemctl is-system-running; systemctl list-jobs --no-pager; journalctl -n 20 --no-pager")
	return fmt.Errorf("the machine was not up within %s: %s %s", bootTime, jobs, said())
}

// childOf is the one child of a process, 0 where there is none yet.
func childOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	child, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return child
}

func (k *keeper) powerOff() {
	if k.nspawn == nil || k.nspawn.Process == nil {
		return
	}
	if k.leader != 0 {
		m := Machine{leader: k.leader}
		_, _ = m.Try("systemctl", "poweroff", "--force")
	}
	select {
	case <-k.ended:
	case <-time.After(10 * time.Second):
		// systemd-nspawn's own end would leave them: with the first process of
		// their namespace the kernel ends all of them.
		if k.leader == 0 {
			k.leader = childOf(k.nspawn.Process.Pid)
		}
		if k.leader != 0 {
			_ = syscall.Kill(k.leader, syscall.SIGKILL)
		}
		_ = k.nspawn.Process.Kill()
		<-k.ended
	}
}

// groups are the folders of the machine's control groups, in systemd's
// hierarchy of version 1 and in version 2's.
func (k *keeper) groups() []string {
	var dirs []string
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(root + "/cgroup.procs"); err == nil {
			dirs = append(dirs, filepath.Join(root, k.name))
		}
	}
	return dirs
}

func (k *keeper) moveToControlGroups() {
	for _, dir := range k.groups() {
		if os.Mkdir(dir, 0o755) == nil {
			_ = os.WriteFile(dir+"/cgroup.procs", []byte("0"), 0)
		}
	}
}

// remove takes away what would outlive the keeper's namespace: the folder that
// the tmpfs was mounted on, and the control groups.
func (k *keeper) remove() {
	for _, dir := range k.groups() {
		_ = os.WriteFile(filepath.Dir(dir)+"/cgroup.procs", []byte("0"), 0)
		// The last processes of a machine that was killed may not be gone yet.
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if removeGroups(dir) {
				break
			}
		}
	}
	_ = unix.Unmount(k.root(), unix.MNT_DETACH)
	_ = unix.Unmount(k.dir, unix.MNT_DETACH)
	_ = os.Remove(k.dir)
}

// removeGroups removes a control group with those below it, as far as they are
// empty; true: it is gone.
func removeGroups(dir string) bool {
	var below []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return nil
	})
	for i := len(below) - 1; i >= 0; i-- {
		_ = os.Remove(below[i])
	}
	_, err := os.Stat(dir)
	return os.IsNotExist(err)
}
