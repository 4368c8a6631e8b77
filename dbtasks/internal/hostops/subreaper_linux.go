package hostops

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// CanSubreap: orphans of a process's tree become its children (prctl(2),
// PR_SET_CHILD_SUBREAPER).
const CanSubreap = true

// Subreap makes this process a subreaper; the returned function makes it what
// it was before. Where it is forbidden (a sandbox), orphans go to init.
func Subreap() (undo func()) {
	var was int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&was)), 0, 0, 0); err != nil || was != 0 {
		return func() {}
	}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	return func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }
}
