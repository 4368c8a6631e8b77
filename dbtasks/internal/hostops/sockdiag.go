package hostops

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// parseInetDiag reads one struct inet_diag_msg: ports and addresses as they go
// over the network, owner and inode as amd64 and arm64 have numbers.
func parseInetDiag(data []byte) (tcpSocket, bool) {
	const inet, inet6 = 2, 10
	if len(data) < 72 {
		return tcpSocket{}, false
	}
	t := tcpSocket{listening: data[1] == tcpListen, uid: int(binary.LittleEndian.Uint32(data[64:])), inode: uint64(binary.LittleEndian.Uint32(data[68:]))}
	local, remote := data[8:24], data[24:40]
	switch data[0] {
	case inet:
		local, remote = local[:4], remote[:4]
	case inet6:
	default:
		return t, false
	}
	t.local, t.remote = kernelAddr(local, data[4:6]), kernelAddr(remote, data[6:8])
	return t, true
}

func kernelAddr(addr, port []byte) netip.AddrPort {
	a, _ := netip.AddrFromSlice(addr)
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port))
}

// parseUnixDiag reads one struct unix_diag_msg and its attributes (little
// endian as the kernel of amd64 and arm64 writes them).
func parseUnixDiag(data []byte) (unixSocket, bool) {
	const header, attrName, attrPeer, listening = 16, 0, 2, 10
	if len(data) < header {
		return unixSocket{}, false
	}
	u := unixSocket{listening: data[2] == listening, inode: uint64(binary.LittleEndian.Uint32(data[4:]))}
	attributes, ok := parseAttributes(data[header:])
	for _, a := range attributes {
		switch {
		case a.kind == attrName:
			u.path = strings.TrimRight(string(a.value), "\x00") // pathnames come with their NUL
		case a.kind == attrPeer && len(a.value) >= 4:
			u.peer = uint64(binary.LittleEndian.Uint32(a.value))
		}
	}
	return u, ok
}

type attribute struct {
	kind  uint16
	value []byte
}

// parseAttributes reads netlink attributes up to the first that is malformed,
// which makes ok false.
func parseAttributes(data []byte) (list []attribute, ok bool) {
	for len(data) >= 4 {
		length := int(binary.LittleEndian.Uint16(data))
		if length < 4 || length > len(data) {
			return list, false
		}
		list = append(list, attribute{binary.LittleEndian.Uint16(data[2:]), data[4:length]})
		data = data[min(len(data), (length+3)&^3):]
	}
	return list, true
}
