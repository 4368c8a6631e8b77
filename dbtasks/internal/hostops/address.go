package hostops

import (
	"net"
	"net/netip"
)

// LocalAddress tells whether an address is this machine's own: loopback, or of
// one of its interfaces.
func LocalAddress(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}

// AnswersAt tells whether a listener that is bound to one address takes a
// connection to another: to the same one, or, bound to every address, to each
// of its family. An IPv6 wildcard takes IPv4 too unless it says otherwise.
func AnswersAt(bound, addr netip.AddrPort) bool {
	return bound == addr || bound.Port() == addr.Port() && bound.Addr().IsUnspecified() && (bound.Addr().Is6() || addr.Addr().Is4())
}
