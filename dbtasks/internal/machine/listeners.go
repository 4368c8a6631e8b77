package machine

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// ListenersAt are the listening sockets that a connection to this very address
// may come out at, as the kernel decides: those bound to the address itself,
// and only without one those bound to a wildcard. A process that was forked a
// moment ago still holds its parent's sockets: the parent is the listener.
func (m *Machine) ListenersAt(addr netip.AddrPort) []hostops.Listener {
	var exact, wildcard []hostops.Listener
	for _, l := range m.Sockets.Listeners() {
		switch {
		case l.Addr == addr:
			exact = append(exact, l)
		case hostops.AnswersAt(l.Addr, addr):
			wildcard = append(wildcard, l)
		}
	}
	if len(exact) > 0 {
		return m.withoutChildren(exact)
	}
	// 0.0.0.0 and :: may be two programs: then each takes its own family.
	own := slices.DeleteFunc(slices.Clone(wildcard), func(l hostops.Listener) bool { return l.Addr.Addr().Is4() != addr.Addr().Is4() })
	if len(own) > 0 {
		wildcard = own
	}
	return m.withoutChildren(wildcard)
}

// ListenersOn are all listening sockets of a port, whatever their address.
func (m *Machine) ListenersOn(port int) []hostops.Listener {
	var list []hostops.Listener
	for _, l := range m.Sockets.Listeners() {
		if int(l.Addr.Port()) == port {
			list = append(list, l)
		}
	}
	return m.withoutChildren(list)
}

func (m *Machine) withoutChildren(list []hostops.Listener) []hostops.Listener {
	holds := map[int]bool{}
	for _, l := range list {
		holds[l.PID] = l.PID != 0
	}
	list = slices.DeleteFunc(list, func(l hostops.Listener) bool {
		p, _ := m.Table.Process(l.PID)
		return l.PID != 0 && holds[p.PPID]
	})
	slices.SortFunc(list, func(a, b hostops.Listener) int { return cmp.Or(a.Addr.Compare(b.Addr), a.PID-b.PID) })
	return list
}
