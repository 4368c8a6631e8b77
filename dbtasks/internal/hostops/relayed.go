package hostops

import (
	"net/netip"
	"slices"
)

// Relayed tells who is behind the connections that a forwarder of this machine
// (docker-proxy) makes to a server at inside: by the address and port that the
// server sees as its client's, the connection of the real client to one of the
// addresses where the forwarder listens for it (published; one that is
// unspecified stands for all). The client's PID is 0 where it is hidden from this
// user, and its Remote is invalid where the client is not on this machine. Of
// several connections of one process that can't be told apart, any is named.
// What can't be told is not in it.
//
// flows are settled ones, ReadSettledFlows, of both kinds; s is no older.
func (s *Sockets) Relayed(flows []Flow, published []netip.AddrPort, inside netip.AddrPort) map[netip.AddrPort]Connection {
	var accepted, relays []Flow
	for _, f := range flows {
		switch {
		case f.Remote == inside:
			relays = append(relays, f)
		case servedAt(published, f.Local):
			accepted = append(accepted, f)
		}
	}
	clients := make([]Connection, len(accepted))
	for i, in := range accepted {
		clients[i] = s.otherEnd(in)
	}
	same := func(a, b int) bool { return clients[a].PID != 0 && clients[a].PID == clients[b].PID }
	found := map[netip.AddrPort]Connection{}
	for r, c := range MatchRelays(accepted, relays, same) {
		if c >= 0 {
			found[relays[r].Local] = clients[c]
		}
	}
	return found
}

// KeptPorts tells who is behind connections that the kernel itself forwards to a
// container (Docker with userland-proxy=false, rootful Podman): by the address
// and port that the server sees as its client's, which is one of this machine's
// own with the client's port, the processes that hold the client's connection to
// one of the addresses where the container is published, as for Relayed. They
// are none where they are hidden from this user.
//
// An end that is a socket of this machine is none of these: it is a forwarder's,
// or of a client that connects to the container directly. Where two clients have
// one port, which the kernel then changes for one of them, neither is told.
func (s *Sockets) KeptPorts(published, seen []netip.AddrPort) map[netip.AddrPort][]int {
	clients := map[uint16]tcpSocket{}
	twice, here := map[uint16]bool{}, map[netip.AddrPort]bool{}
	for _, t := range s.tcp {
		if t.listening {
			continue
		}
		here[t.local] = true
		if !servedAt(published, t.remote) {
			continue
		}
		port := t.local.Port()
		_, known := clients[port]
		twice[port] = known
		clients[port] = t
	}
	found := map[netip.AddrPort][]int{}
	for _, end := range seen {
		if t, ok := clients[end.Port()]; ok && !twice[end.Port()] && !here[end] {
			found[end] = slices.DeleteFunc(slices.Sorted(slices.Values(s.pids(t))), func(pid int) bool { return pid == 0 })
		}
	}
	return found
}

func servedAt(published []netip.AddrPort, addr netip.AddrPort) bool {
	return slices.ContainsFunc(published, func(p netip.AddrPort) bool { return AnswersAt(p, addr) })
}

// otherEnd is the client's end of a connection that was accepted here.
func (s *Sockets) otherEnd(in Flow) Connection {
	for _, t := range s.tcp {
		if !t.listening && t.local == in.Remote && t.remote == in.Local {
			return Connection{t.local, t.remote, s.pids(t)[0], t.uid}
		}
	}
	return Connection{Local: in.Remote, UID: -1}
}

// RelayEnds chooses the flows for Relayed.
func RelayEnds(published []netip.AddrPort, inside netip.AddrPort) func(Flow) bool {
	return func(f Flow) bool { return f.Remote == inside || servedAt(published, f.Local) }
}
