//go:build linux

package faults

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// who is the account that a row's tool runs as.
type who int

const (
	whoever  who = iota // runs the tests
	root                // skipped unless that is root
	ordinary            // an account without rights, which is not the server's
)

// Accounts that every Debian has and that nothing runs as: the developer's, and
// that of another person at the same machine.
const (
	developer = "games"
	neighbour = "news"
)

// account of this system.
type account struct {
	name     string
	uid, gid uint32
}

func lookUp(t testing.TB, name string) *account {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if errUID != nil || errGID != nil {
		t.Fatalf("account %s has the ids %s and %s", name, u.Uid, u.Gid)
	}
	return &account{name, uint32(uid), uint32(gid)}
}

// account is nil where the tool runs as whoever runs the tests.
func (w who) account(t *testing.T) *account {
	t.Helper()
	switch {
	case w == root && os.Getuid() != 0:
		t.Skip("needs root")
	case w == ordinary && os.Getuid() == 0:
		return lookUp(t, developer)
	}
	return nil
}

// attributes are those of a process of the account.
func (a *account) attributes() *syscall.SysProcAttr {
	if a == nil {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
}

// asBoth are the rows of a list twice: run by root, and by an ordinary user.
func asBoth(list ...fault) (both []fault) {
	for _, f := range list {
		for _, as := range []struct {
			words string
			who
		}{{", as root", root}, {", as an ordinary user", ordinary}} {
			row := f
			row.name, row.as = f.name+as.words, as.who
			both = append(both, row)
		}
	}
	return both
}

// handOver gives what the scene has written to the account that the tool runs
// as, but for what the row has given to somebody else.
func (s *scene) handOver() {
	s.Helper()
	if s.account == nil {
		return
	}
	for _, top := range []string{s.project, s.tmp, filepath.Join(s.dir, "home"), filepath.Join(s.dir, "neighbour")} {
		s.must(filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || slices.Contains(s.foreign, path) {
				return err
			}
			return os.Lchown(path, int(s.account.uid), int(s.account.gid))
		}))
	}
}

// neighbourAccount is another person's where it can be: nil is our own.
func (s *scene) neighbourAccount() *account {
	s.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	return lookUp(s.T, neighbour)
}

// belongTo gives a file to another person of this machine, which only root can.
func (s *scene) belongTo(name, path string) {
	s.Helper()
	if os.Getuid() != 0 {
		s.Skip("needs root: only root gives files to another account")
	}
	a := lookUp(s.T, name)
	s.must(os.Lchown(path, int(a.uid), int(a.gid)))
	s.foreign = append(s.foreign, path)
}
