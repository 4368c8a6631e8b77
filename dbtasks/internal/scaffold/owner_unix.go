//go:build unix

package scaffold

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives f the owner of another file, where this user may: root who
// works in a user's project must not take the files away.
func keepOwner(f *os.File, like fs.FileInfo) {
	if s, ok := like.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(s.Uid), int(s.Gid))
	}
}
