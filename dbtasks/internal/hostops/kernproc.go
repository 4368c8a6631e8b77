package hostops

import (
	"bytes"
	"encoding/binary"
)

// parseProcArgs reads what sysctl kern.procargs2 answers on macOS: the number
// of arguments, the executable's path, NULs up to a word's end, the arguments.
// Behind them stands the environment with its passwords: it is not touched.
func parseProcArgs(data []byte) ([]string, error) {
	if len(data) < 4 {
		return nil, errMalformed
	}
	count := int(binary.LittleEndian.Uint32(data))
	_, rest, ok := bytes.Cut(data[4:], []byte{0})
	if !ok || count < 0 || count > len(data) {
		return nil, errMalformed
	}
	rest = bytes.TrimLeft(rest, "\x00")
	var args []string
	for range count {
		arg, behind, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return nil, errMalformed
		}
		args, rest = append(args, string(arg)), behind
	}
	// A title written over the arguments leaves empty ones behind it.
	for len(args) > 0 && args[len(args)-1] == "" {
		args = args[:len(args)-1]
	}
	return args, nil
}
