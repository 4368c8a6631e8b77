//go:build unix

package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the operating system's account that a server runs as.
type account struct {
	name     string
	uid, gid uint32
	groups   []uint32
	switched bool // another one than ours: only root may do that
}

// disposableAccount is ours, but PostgreSQL refuses to run as root: then it is
// postgres, or nobody where PostgreSQL was not installed by a package.
func disposableAccount() (account, error) {
	if os.Geteuid() != 0 {
		return accountOf(uint32(os.Geteuid())), nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			if id, err := strconv.ParseUint(u.Uid, 10, 32); err == nil && id != 0 {
				return accountOf(uint32(id)), nil
			}
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and there is no account postgres or nobody to run it as")
}

func accountOf(uid uint32) account {
	a := account{name: strconv.FormatUint(uint64(uid), 10), uid: uid, gid: uint32(os.Getegid()), switched: os.Geteuid() == 0 && uid != 0}
	u, err := user.LookupId(a.name)
	if err != nil {
		return a
	}
	a.name = u.Username
	if gid, err := strconv.ParseUint(u.Gid, 10, 32); err == nil && a.switched {
		a.gid = uint32(gid)
	}
	ids, _ := u.GroupIds()
	for _, id := range ids {
		if gid, err := strconv.ParseUint(id, 10, 32); err == nil {
			a.groups = append(a.groups, uint32(gid))
		}
	}
	return a
}

// attr makes a command run as the account.
func (a account) attr() *syscall.SysProcAttr {
	if !a.switched {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}}
}

// own gives a file or folder to the account.
func (a account) own(path string) error {
	if !a.switched {
		return nil
	}
	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, a.name, err)
	}
	return nil
}

// tempRoot is the folder for temporary ones; /tmp where TMPDIR is closed to the
// account, or so long that a Unix socket's path would pass macOS' 104 bytes.
func (a account) tempRoot() string {
	root := os.TempDir()
	info, err := os.Stat(root)
	if err != nil || len(root) > 60 || (a.switched && info.Mode().Perm()&0o001 == 0) {
		return "/tmp"
	}
	return root
}

// ownerOf is the account that a data directory belongs to: PostgreSQL starts
// as no other.
func ownerOf(path string) (account, error) {
	info, err := os.Stat(path)
	if err != nil {
		return account{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, fmt.Errorf("owner of %s is not known", path)
	}
	return accountOf(stat.Uid), nil
}

// usable tells whether we may act as the account: we are it, or root.
func (a account) usable() bool { return a.switched || int(a.uid) == os.Geteuid() }
