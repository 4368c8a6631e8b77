//go:build unix

package pgserver

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// trusts is the account that a server's own program may be run as: the
// process, its data directory and the program agree on it, and nobody else can
// have written any of them. Otherwise a neighbour's program that only calls
// itself postgres would run with our rights. Root never runs it as root.
//
// The error says what is wrong and whose it is; ErrNoRestart.
func (s Subject) trusts(program string) (account, error) {
	info, err := os.Stat(s.DataDir)
	if err != nil {
		return account{}, fmt.Errorf("%w: look at its data directory: %w", ErrNoRestart, err)
	}
	data := info.Sys().(*syscall.Stat_t)
	a := accountOf(data.Uid)
	switch {
	case s.UID < 0 || uint32(s.UID) != data.Uid:
		return a, fmt.Errorf("%w: its process (pid %d) is %s's and its data directory %s is %s's: nothing of it is run", ErrNoRestart, s.PID, accountOf(uint32(max(s.UID, 0))).name, s.DataDir, a.name)
	case data.Uid == 0:
		return a, fmt.Errorf("%w: its data directory %s is root's, which no PostgreSQL runs as: nothing of it is run", ErrNoRestart, s.DataDir)
	case info.Mode().Perm()&0o002 != 0:
		return a, fmt.Errorf("%w: anybody may write to its data directory %s: nothing of it is run", ErrNoRestart, s.DataDir)
	}
	for _, path := range []string{program, s.Exe} {
		if path == "" || filepath.Ext(path) == ".app" {
			continue
		}
		if err := writtenBy(a, path); err != nil {
			return a, err
		}
	}
	return a, nil
}

// writtenBy refuses a program that another account than a or root could have
// put there. A group may write only where we are not root: Homebrew's folders
// are the group admin's.
func writtenBy(a account, program string) error {
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return nil // an upgrade removed the executable under a running server; what is run is checked itself
	}
	for first := true; ; first = false {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("%w: look at its program: %w", ErrNoRestart, err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		mode := info.Mode()
		others := mode.Perm()&0o002 != 0
		group := mode.Perm()&0o020 != 0 && os.Geteuid() == 0 && stat.Gid != 0 && stat.Gid != a.gid
		if !first && mode&fs.ModeSticky != 0 { // as /tmp: what lies there is safe from others
			others, group = false, false
		}
		switch {
		case others || group:
			return fmt.Errorf("%w: others than %s may write to %s, where its program is: nothing of it is run", ErrNoRestart, a.name, path)
		case stat.Uid != 0 && stat.Uid != a.uid:
			return fmt.Errorf("%w: %s, where its program is, is %s's and not %s's: nothing of it is run", ErrNoRestart, path, accountOf(stat.Uid).name, a.name)
		}
		if path == filepath.Dir(path) {
			return nil
		}
		path = filepath.Dir(path)
	}
}
