package hostops

import (
	"net/netip"
	"strconv"
	"strings"
)

// Forward is what the command line of a container engine's forwarder says that
// it does. Everybody may read it, and anybody may write such a line: where it
// decides anything, look whose process it is, or ask the engine.
type Forward struct {
	Host      netip.AddrPort // where it listens; :: and 0.0.0.0 for every address
	Container netip.AddrPort // where to; the address is invalid where only the port is told
	ID        string         // of the container, 64 hexadecimal digits; "" where it is not told
}

// ForwardOf reads the command line of docker-proxy and its rootless form
// (-host-ip -host-port -container-ip -container-port), of Podman's conmon, which
// holds the ports of a rootful container and names it (-c ID), and of pasta
// (-t ADDRESS/PORT:PORT, the first one). rootlessport, rootlesskit, slirp4netns,
// gvproxy and Docker Desktop's programs say nothing there, and netavark leaves
// no process: ok is false, only the engine knows.
func ForwardOf(p Process) (f Forward, ok bool) {
	if len(p.Args) == 0 || KindOf(Process{Name: p.Name, Exe: p.Args[0]}) != Forwarder {
		return f, false
	}
	option := func(names ...string) string {
		for i, arg := range p.Args[1:] {
			name, value, joined := strings.Cut(arg, "=")
			for _, want := range names {
				switch {
				case strings.TrimLeft(name, "-") != want || !strings.HasPrefix(name, "-"):
				case joined:
					return value
				case i+2 < len(p.Args):
					return p.Args[i+2]
				}
			}
		}
		return ""
	}
	program := p.Args[0][strings.LastIndexByte(p.Args[0], '/')+1:]
	switch {
	case strings.HasSuffix(program, "docker-proxy"):
		var good [2]bool
		f.Host, good[0] = addrPort(option("host-ip"), option("host-port"))
		f.Container, good[1] = addrPort(option("container-ip"), option("container-port"))
		return f, good[0] && good[1] && option("proto") != "udp"
	case program == "conmon":
		f.ID = option("c", "cid")
		return f, len(f.ID) == 64
	case strings.HasPrefix(program, "pasta"):
		return parsePasta(option("t", "tcp-ports"))
	}
	return f, false
}

// parsePasta reads "127.0.0.1/5433-5433:5432-5432", what Podman gives pasta for
// one published port; the parts before "/" and after ":" may be left out.
func parsePasta(spec string) (f Forward, ok bool) {
	host, ports, bound := strings.Cut(spec, "/")
	if !bound {
		host, ports = "::", spec
	}
	host, _, _ = strings.Cut(host, "%") // an interface
	outer, inner, mapped := strings.Cut(ports, ":")
	if !mapped {
		inner = outer
	}
	outer, inner = onePort(outer), onePort(inner)
	var good bool
	if f.Host, good = addrPort(host, outer); !good {
		return f, false
	}
	n, err := strconv.ParseUint(inner, 10, 16)
	f.Container = netip.AddrPortFrom(netip.Addr{}, uint16(n))
	return f, err == nil
}

// onePort reads a range of one port, "5432-5432"; others stay as they are.
func onePort(ports string) string {
	if from, to, ok := strings.Cut(ports, "-"); ok && from == to {
		return from
	}
	return ports
}

func addrPort(ip, port string) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(ip)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), err == nil && portErr == nil && n > 0
}
