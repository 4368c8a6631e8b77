package hostops

import (
	"encoding/binary"
	"strings"
)

// parseUnixDiag reads one struct unix_diag_msg and its attributes (little
// endian as the kernel of amd64 and arm64 writes them).
func parseUnixDiag(data []byte) (unixSocket, bool) {
	const header, attrName, attrPeer, listening = 16, 0, 2, 10
	if len(data) < header {
		return unixSocket{}, false
	}
	u := unixSocket{listening: data[2] == listening, inode: uint64(binary.LittleEndian.Uint32(data[4:]))}
	for rest := data[header:]; len(rest) >= 4; {
		length, kind := int(binary.LittleEndian.Uint16(rest)), binary.LittleEndian.Uint16(rest[2:])
		if length < 4 || length > len(rest) {
			return u, false
		}
		value := rest[4:length]
		switch {
		case kind == attrName:
			u.path = strings.TrimRight(string(value), "\x00") // pathnames come with their NUL
		case kind == attrPeer && len(value) >= 4:
			u.peer = uint64(binary.LittleEndian.Uint32(value))
		}
		rest = rest[min(len(rest), (length+3)&^3):]
	}
	return u, true
}
