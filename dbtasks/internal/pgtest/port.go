package pgtest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports that FreePort gives lie below those that any system hands out for
// outgoing connections (Linux from 32768, macOS and Windows from 49152): one
// of those may go to a client of a parallel test before it is listened on.
const firstPort, lastPort = 20000, 32000

var (
	givenPorts   = map[int]bool{}
	givenPortsMu sync.Mutex
)

// FreePort is a port that nothing listens on, given once in a process.
func FreePort(t testing.TB) int {
	t.Helper()
	givenPortsMu.Lock()
	defer givenPortsMu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if !givenPorts[port] && free("127.0.0.1", port) && free("", port) {
			givenPorts[port] = true
			return port
		}
	}
	t.Fatalf("no port is free between %d and %d", firstPort, lastPort)
	return 0
}

func free(host string, port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
