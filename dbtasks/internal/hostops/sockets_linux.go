package hostops

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

func readTCP(context.Context) (*Sockets, error) {
	s := &Sockets{}
	var err error
	if s.tcp, err = tcpSockets(); err != nil {
		s.tcp, err = tcpSocketsOfProc() // a sandbox may forbid netlink
	}
	return s, err
}

func readSockets(ctx context.Context, skip func(pid int) bool) (*Sockets, error) {
	s, err := readTCP(ctx)
	if err != nil {
		return nil, err
	}
	s.unix, _ = unixSockets() // a bonus
	s.holders, err = holders(ctx, skip)
	return s, err
}

// tcpSocketsOfProc reads what netlink tells from the files that are always
// there. The kernel writes a line for each socket that is closed and waits
// (TIME_WAIT), of which every ended session leaves one for a minute: with 3,000
// of them that takes 6 ms where tcpSockets takes 2.
func tcpSocketsOfProc() ([]tcpSocket, error) {
	var list []tcpSocket
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
		list = append(list, rows...)
	}
	// The kernel may write a line twice when sockets come and go meanwhile.
	seen := map[uint64]bool{}
	return slices.DeleteFunc(list, func(t tcpSocket) bool {
		again := t.inode != 0 && seen[t.inode]
		seen[t.inode] = true
		return again
	}), nil
}

// From linux/inet_diag.h, linux/unix_diag.h and linux/sock_diag.h.
const (
	tcpdiagGetsock   = 18 // walks the kernel's table once for IPv4 and IPv6, as its successor does not
	sockDiagByFamily = 20
	showName         = 1
	showPeer         = 4
)

// tcpSockets asks the kernel for the listening and connected TCP sockets.
func tcpSockets() ([]tcpSocket, error) {
	body := inetDiagRequest(1<<tcpEstablished | 1<<tcpCloseWait | 1<<tcpListen)
	var list []tcpSocket
	err := sockDiag(tcpdiagGetsock, body, func(data []byte) error {
		t, ok := parseInetDiag(data)
		if !ok {
			return errMalformed
		}
		list = append(list, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for TCP sockets: %w", err)
	}
	return list, nil
}

// inetDiagRequest is a struct inet_diag_req for TCP sockets in some states.
func inetDiagRequest(states uint32) []byte {
	body := make([]byte, 60)
	binary.NativeEndian.PutUint32(body[52:], states)
	return body
}

// unixSockets asks the kernel for all Unix sockets with their peers' inodes,
// which /proc/net/unix does not tell.
func unixSockets() ([]unixSocket, error) {
	body := make([]byte, 24) // struct unix_diag_req
	body[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(body[4:], ^uint32(0)) // every state
	binary.NativeEndian.PutUint32(body[12:], showName|showPeer)
	var list []unixSocket
	err := sockDiag(sockDiagByFamily, body, func(data []byte) error {
		if u, ok := parseUnixDiag(data); ok {
			list = append(list, u)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for Unix sockets: %w", err)
	}
	return list, nil
}

// sockDiag has the kernel list sockets, and calls each with every one.
func sockDiag(kind uint16, body []byte, each func(data []byte) error) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(req[0:], uint32(cap(req)))
	binary.NativeEndian.PutUint16(req[4:], kind)
	binary.NativeEndian.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, append(req, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2})
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR: // each with an errno, negative, or 0
				if len(m.Data) >= 4 {
					if no := int32(binary.NativeEndian.Uint32(m.Data)); no < 0 {
						return unix.Errno(-no)
					}
				}
				return nil
			}
			if err := each(m.Data); err != nil {
				return err
			}
		}
	}
}
