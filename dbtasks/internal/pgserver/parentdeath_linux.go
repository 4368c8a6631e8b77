package pgserver

import "syscall"

// endWithParent has the kernel ask the server for a fast shutdown when the
// keeper is killed together with who would end the server then (prctl(2),
// PR_SET_PDEATHSIG). The caller stays on its thread, whose end counts.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
