//go:build !linux

package hostops

// CanSubreap: orphans go to the first process (init, launchd).
const CanSubreap = false

// Subreap does nothing here.
func Subreap() (undo func()) { return func() {} }
