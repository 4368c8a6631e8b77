package hostops

import (
	"net"
	"net/netip"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
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

// BridgeNetwork tells whether an address lies on a container network of this
// machine: what answers a connection to it is a container here, unless it is the
// machine itself. That holds for an address one connects to. An address that a
// server reports about itself proves nothing where the way to it may lead to
// another machine: Docker's default network is 172.17.0.0/16 on all of them.
func BridgeNetwork(addr netip.Addr) bool {
	addr = addr.Unmap()
	interfaces, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range interfaces {
		if !bridgeName().MatchString(i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Masked().Contains(addr) && !addr.IsLinkLocalUnicast() {
				return true
			}
		}
	}
	return false
}

// bridgeName knows the bridges of Docker (docker0, docker_gwbridge, br- and
// twelve digits of the network's id), Podman and CNI (podman0, cni0, cni-podman0),
// LXC, LXD and Incus, libvirt, and those of OrbStack and Docker Desktop on macOS
// (bridge100 and up). A br-lan or bridge1 may lead to the office's network and
// is none of them.
var bridgeName = lazyregexp.New(`^(?:docker(?:\d+|_gwbridge)|br-[0-9a-f]{12}|podman\d+|cni(?:\d+|-podman\d+)|lxcbr\d+|lxdbr\d+|incusbr\d+|virbr\d+|bridge1\d\d)$`)
