//go:build unix

package pgserver

import "golang.org/x/sys/unix"

// freeSpace is what an ordinary account may still write there, in bytes; known
// false where it can't be told.
func freeSpace(path string) (free int64, known bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, false
	}
	if fs.Files > 0 && fs.Ffree == 0 {
		return 0, true // no file more, however small
	}
	return int64(fs.Bavail) * int64(fs.Bsize), true
}
