//go:build !linux

package pgserver

import "syscall"

// endWithParent does nothing: no other kernel tells a child of its parent's death.
func endWithParent(*syscall.SysProcAttr) {}
