//go:build unix

package plainfile

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

func trust(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if info.Mode()&os.ModeDevice != 0 {
		return nil // of a device nothing is read, and its rights are the system's
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || madeUp(path) {
		return nil
	}
	if !ours(int(stat.Uid)) {
		return &TrustError{path, "belongs to " + userName(int(stat.Uid)), fmt.Sprintf("chown %s %s", me(), quoted(path))}
	}
	switch mode := info.Mode().Perm(); {
	case info.IsDir() && info.Mode()&os.ModeSticky != 0 && mode&0o002 != 0:
		return &TrustError{path, "is a folder for everybody's files", "cd to a folder of your own, where your project is"}
	case mode&0o002 != 0:
		return &TrustError{path, "can be written by everybody", "chmod o-w " + quoted(path)}
	case mode&0o020 != 0 && !ownGroup(int(stat.Gid), int(stat.Uid)):
		return &TrustError{path, "can be written by the group " + groupName(int(stat.Gid)), "chmod g-w " + quoted(path)}
	}
	return nil
}

// ours tells whether an account is this process's, root or, in sudo, the
// caller's.
func ours(uid int) bool {
	if uid == os.Geteuid() || uid == 0 {
		return true
	}
	caller, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	return os.Geteuid() == 0 && err == nil && uid == caller
}

// ownGroup tells a group that holds nobody but its user, as many systems make
// one for each (files are written with mode 664 there), and root's.
func ownGroup(gid, uid int) bool {
	if gid == 0 {
		return true
	}
	owner, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return false
	}
	group, err := user.LookupGroupId(strconv.Itoa(gid))
	return err == nil && owner.Gid == group.Gid && owner.Username == group.Name
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "the account " + strconv.Itoa(uid)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

func me() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}
