package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Account is an ordinary user of the machine, with a home folder.
type Account struct {
	Name, Home string
	UID, GID   int
	Groups     []int // all of them, GID included
}

var accounts struct {
	sync.Mutex
	made int
}

// User makes an ordinary user who is in these groups, which must exist: with
// "docker" one who may use the Docker Engine. The machine ends with its users.
func User(t testing.TB, groups ...string) *Account {
	t.Helper()
	require(t, "useradd")
	accounts.Lock()
	defer accounts.Unlock()
	accounts.made++
	a := &Account{Name: fmt.Sprintf("dev%d", accounts.made)}
	a.Home = filepath.Join("/var/lib/containers/home", a.Name) // a file system of the machine, and none that rootless Docker makes anew
	if err := os.MkdirAll(filepath.Dir(a.Home), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"--create-home", "--home-dir", a.Home, "--shell", "/bin/sh", "--user-group"}
	if len(groups) > 0 {
		args = append(args, "--groups", strings.Join(groups, ","))
	}
	if out, err := exec.Command("useradd", append(args, a.Name)...).CombinedOutput(); err != nil {
		t.Fatalf("useradd %s: %v: %s", a.Name, err, out)
	}
	u, err := user.Lookup(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		a.Groups = append(a.Groups, gid)
	}
	a.UID, _ = strconv.Atoi(u.Uid)
	a.GID, _ = strconv.Atoi(u.Gid)
	runtime := a.runtimeDir()
	if err := os.Mkdir(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(runtime, a.UID, a.GID); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *Account) runtimeDir() string { return fmt.Sprintf("/run/user/%d", a.UID) }

// Command is a program that this user runs in the home folder, with the
// environment of a login and further variables in env.
func (a *Account) Command(env []string, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = env
	return a.As(cmd)
}

// As makes a command that was not started yet this user's: in the home folder
// where it names none, with the environment of a login before its own variables.
// Where it runs this executable, which others may not even see, it runs a copy.
func (a *Account) As(cmd *exec.Cmd) *exec.Cmd {
	if self, err := os.Executable(); err == nil && cmd.Path == self {
		cmd.Path, cmd.Err = publicCopy()
	}
	if cmd.Dir == "" {
		cmd.Dir = a.Home
	}
	env := slices.DeleteFunc(slices.Clone(cmd.Env), func(variable string) bool { return slices.Contains(os.Environ(), variable) })
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + a.Home, "USER=" + a.Name, "LOGNAME=" + a.Name, "XDG_RUNTIME_DIR=" + a.runtimeDir(), "TMPDIR=" + os.TempDir(),
	}, env...)
	groups := make([]uint32, len(a.Groups))
	for i, gid := range a.Groups {
		groups[i] = uint32(gid)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID), Groups: groups}
	return cmd
}

// publicCopy is this executable where everybody may run it.
var publicCopy = sync.OnceValues(func() (string, error) {
	const path = "/run/tests"
	content, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return path, err
	}
	return path, os.WriteFile(path, content, 0o755)
})
