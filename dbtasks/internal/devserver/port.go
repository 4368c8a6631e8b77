package devserver

import (
	"net"
	"strconv"
)

// FreePort is the first of these ports that can be bound on every address that dev servers bind: 0.0.0.0, 127.0.0.1, [::] and
// [::1], of the families that this machine has. Each is tried for itself:
// where SO_REUSEADDR lets a wildcard bind beside a listener on one address
// (macOS), binding 0.0.0.0 alone would call a taken port free. The port is not
// held: somebody may take it before the dev server does.
//
// The error is a *PortError when none is free; one beyond 1-65535 counts as
// taken.
func FreePort(ports []int) (int, error) {
	addresses := boundAddresses()
	for _, port := range ports {
		if 1 <= port && port <= 65535 && bindable(addresses, port) {
			return port, nil
		}
	}
	return 0, &PortError{ports}
}

type boundAddress struct{ network, host string }

// boundAddresses are those that exist here: the kernel gives them a port of
// its own choice.
func boundAddresses() []boundAddress {
	var here []boundAddress
	for _, a := range []boundAddress{{"tcp4", "0.0.0.0"}, {"tcp4", "127.0.0.1"}, {"tcp6", "::"}, {"tcp6", "::1"}} {
		if bindable([]boundAddress{a}, 0) {
			here = append(here, a)
		}
	}
	return here
}

// bindable tries one address after the other: two of them at once would be in
// each other's way.
func bindable(addresses []boundAddress, port int) bool {
	for _, a := range addresses {
		l, err := net.Listen(a.network, net.JoinHostPort(a.host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
