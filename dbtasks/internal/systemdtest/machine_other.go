//go:build !linux

package systemdtest

// Stop has nothing to stop: there are machines on Linux only.
func Stop() {}
