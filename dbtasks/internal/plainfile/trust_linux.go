package plainfile

import "golang.org/x/sys/unix"

// madeUp tells a file system that has no owners and modes of its own, and shows
// every file alike: Windows' drives in WSL, shares of a virtual machine.
func madeUp(path string) bool {
	var stat unix.Statfs_t
	if unix.Statfs(path, &stat) != nil {
		return false
	}
	switch int64(stat.Type) {
	case unix.V9FS_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
		0x786f4256: // vboxsf
		return true
	}
	return false
}
