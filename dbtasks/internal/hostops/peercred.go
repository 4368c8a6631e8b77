package hostops

import "errors"

// Peer is who made the listening end of a Unix socket, as the kernel noted it.
type Peer struct {
	PID int // 0: not told by this system, or not a process of ours to see
	UID int
}

// ErrNoPeer: who listens behind the socket can't be told on this system.
var ErrNoPeer = errors.New("the system does not tell who listens behind a Unix socket")
