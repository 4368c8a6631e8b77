package hostops

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PeerCred connects to a Unix socket, sends nothing, and asks the kernel who
// listens behind it (LOCAL_PEERCRED and LOCAL_PEERPID, unix(4)). Not run: no
// macOS was at hand.
func PeerCred(path string) (Peer, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return Peer{}, fmt.Errorf("ask who listens: %w", err)
	}
	defer unix.Close(fd)
	unix.CloseOnExec(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return Peer{}, fmt.Errorf("connect to %s: %w", path, err)
	}
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("ask who listens behind %s: %w", path, err)
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		pid = 0
	}
	return Peer{PID: pid, UID: int(cred.Uid)}, nil
}
