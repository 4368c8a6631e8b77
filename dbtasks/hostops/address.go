package hostops

import (
	"net"
	"net/netip"
	"strings"
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
// machine: what answers there is a container here, unless it is the machine
// itself.
func BridgeNetwork(addr netip.Addr) bool {
	addr = addr.Unmap()
	interfaces, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range interfaces {
		if !bridgeName(i.Name) {
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

// bridgeName knows the bridges of Docker (docker0, br-<id>), Podman and CNI
// (podman0, cni0, cni-podman0), LXD and Incus, libvirt, and OrbStack and
// Docker Desktop's on macOS (bridge100 and up).
func bridgeName(name string) bool {
	for _, prefix := range []string{"docker", "br-", "podman", "cni", "lxdbr", "lxcbr", "incusbr", "virbr", "bridge1"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
