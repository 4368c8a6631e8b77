//go:build unix

package plainfile

import "syscall"

// doNotWait opens a pipe that nobody writes at once, as empty.
const doNotWait = syscall.O_NONBLOCK
