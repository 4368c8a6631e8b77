package hostops

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// The states in /proc/net/tcp (include/net/tcp_states.h).
const (
	tcpEstablished = 1
	tcpCloseWait   = 8 // the other end has closed; this one still holds its socket
	tcpListen      = 10
)

// parseNetTCP reads /proc/net/tcp or tcp6: listening and connected sockets. A
// line that is none is an error: a table half read would name wrong holders.
func parseNetTCP(r io.Reader) ([]tcpSocket, error) {
	var list []tcpSocket
	lines := bufio.NewScanner(r)
	for first := true; lines.Scan(); first = false {
		fields := strings.Fields(lines.Text())
		if first || len(fields) == 0 {
			continue
		}
		if len(fields) < 10 {
			return nil, fmt.Errorf("read the table of TCP sockets: %w", errMalformed)
		}
		state, err := strconv.ParseUint(fields[3], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("read the table of TCP sockets: %w", errMalformed)
		}
		if state != tcpListen && state != tcpEstablished && state != tcpCloseWait {
			continue
		}
		t := tcpSocket{listening: state == tcpListen, uid: -1}
		var ok [2]bool
		t.local, ok[0] = parseHexAddr(fields[1])
		t.remote, ok[1] = parseHexAddr(fields[2])
		uid, uidErr := strconv.Atoi(fields[7])
		inode, inodeErr := strconv.ParseUint(fields[9], 10, 64)
		if !ok[0] || !ok[1] || uidErr != nil || inodeErr != nil {
			return nil, fmt.Errorf("read the table of TCP sockets: %w", errMalformed)
		}
		t.uid, t.inode = uid, inode
		list = append(list, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the table of TCP sockets: %w", err)
	}
	return list, nil
}

// parseHexAddr reads "0100007F:1538": each group of four bytes is a number in
// the machine's byte order, little-endian on all that Go's linux ports for
// amd64 and arm64 are.
func parseHexAddr(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if !ok || err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}
