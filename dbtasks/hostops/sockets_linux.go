package hostops

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func readSockets(ctx context.Context, skip func(pid int) bool) (*Sockets, error) {
	s := &Sockets{}
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("read the table of TCP sockets: %w", err)
		}
		rows, err := parseNetTCP(f)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		s.tcp = append(s.tcp, rows...)
	}
	// Unix sockets are a bonus: a sandbox may forbid netlink.
	s.unix, _ = unixSockets()
	var err error
	s.holders, err = holders(ctx, skip)
	return s, err
}

// From linux/unix_diag.h and linux/sock_diag.h.
const (
	sockDiagByFamily = 20
	showName         = 1
	showPeer         = 4
)

// unixSockets asks the kernel for all Unix sockets with their peers' inodes,
// which /proc/net/unix does not tell.
func unixSockets() ([]unixSocket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("ask for Unix sockets: %w", err)
	}
	defer unix.Close(fd)
	const size = 16 + 24
	req := make([]byte, size)
	binary.NativeEndian.PutUint32(req[0:], size)
	binary.NativeEndian.PutUint16(req[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	req[16] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(req[20:], ^uint32(0)) // every state
	binary.NativeEndian.PutUint32(req[28:], showName|showPeer)
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask for Unix sockets: %w", err)
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2})
	var list []unixSocket
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for Unix sockets: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return nil, fmt.Errorf("ask for Unix sockets: %w", err)
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return list, nil
			case unix.NLMSG_ERROR:
				return nil, errors.New("ask for Unix sockets: the kernel refused")
			}
			if u, ok := parseUnixDiag(m.Data); ok {
				list = append(list, u)
			}
		}
	}
}
