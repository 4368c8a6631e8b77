package hostops

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PeerCred connects to a Unix socket, sends nothing, and asks the kernel who
// called listen() on it (SO_PEERCRED, unix(7)): a PostgreSQL server's
// postmaster, whoever asks and however full it is (measured on Debian 12).
func PeerCred(path string) (Peer, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return Peer{}, fmt.Errorf("ask who listens: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return Peer{}, fmt.Errorf("connect to %s: %w", path, err)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("ask who listens behind %s: %w", path, err)
	}
	return Peer{PID: int(cred.Pid), UID: int(cred.Uid)}, nil
}
