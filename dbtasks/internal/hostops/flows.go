package hostops

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Flow is one end of an established TCP connection with what the kernel counted
// there. It is told to everybody, of everybody's sockets.
type Flow struct {
	Local, Remote netip.AddrPort // v4-mapped addresses unmapped
	UID           int            // the socket's owner
	// Sent and Received are bytes of data since the connection began.
	Sent, Received uint64
	// LastSent and LastReceived are how long ago data went each way; the kernel
	// keeps them by its own clock's ticks of 1 to 10 ms.
	LastSent, LastReceived time.Duration

	inode uint64
}

// parseFlow reads one struct inet_diag_msg with the attribute INET_DIAG_INFO,
// struct tcp_info (linux/tcp.h). Kernels before 4.19 do not count the bytes that
// were sent: ok is false.
func parseFlow(data []byte) (f Flow, ok bool) {
	const header, info = 72, 2
	t, ok := parseInetDiag(data)
	if !ok {
		return f, false
	}
	f = Flow{Local: t.local, Remote: t.remote, UID: t.uid, inode: t.inode}
	attributes, _ := parseAttributes(data[header:])
	for _, a := range attributes {
		value := a.value
		if a.kind != info || len(value) < 208 {
			continue
		}
		millis := func(at int) time.Duration {
			return time.Duration(binary.LittleEndian.Uint32(value[at:])) * time.Millisecond
		}
		f.LastSent, f.LastReceived = millis(44), millis(52)
		f.Received, f.Sent = binary.LittleEndian.Uint64(value[128:]), binary.LittleEndian.Uint64(value[200:])
		return f, true
	}
	return f, false
}

// MatchRelays tells which connection that a forwarder accepted goes on as which
// that it makes, a relay: what came in on one went out on the other, as many
// bytes each way and not before it came, and both are of one account. The answer
// is by relay: an index of accepted, or -1 where that is not certain.
//
// It is certain where a relay and an accepted end fit each other and nobody else.
// Of several that fit each other any is named when all the accepted ones are the
// same as same sees it (their clients are one process, say) and no fewer than the
// relays; nil: none are.
//
// Data on its way at that moment makes a relay fit nothing, or worse, another's
// connection: give settled flows.
func MatchRelays(accepted, relays []Flow, same func(a, b int) bool) []int {
	tick := clockTick(accepted, relays)
	passedOn := func(came, went time.Duration) bool { // both are how long ago
		return came-went >= -tick && came-went <= maxDelay
	}
	fits := make([][]int, len(relays))     // by relay: accepted ones
	wanted := make([][]int, len(accepted)) // by accepted one: relays
	for r, relay := range relays {
		for c, in := range accepted {
			if relay.UID == in.UID && relay.Sent == in.Received && relay.Received == in.Sent &&
				passedOn(in.LastReceived, relay.LastSent) && passedOn(relay.LastReceived, in.LastSent) {
				fits[r] = append(fits[r], c)
				wanted[c] = append(wanted[c], r)
			}
		}
	}
	match := make([]int, len(relays))
	for r := range match {
		match[r] = -1
	}
	grouped := make([]bool, len(relays))
	for r := range relays {
		if grouped[r] || len(fits[r]) == 0 {
			continue
		}
		// All that fit one another, by whatever detour, are one riddle.
		group, others := []int{r}, map[int]bool{}
		grouped[r] = true
		for i := 0; i < len(group); i++ {
			for _, c := range fits[group[i]] {
				others[c] = true
				for _, next := range wanted[c] {
					if !grouped[next] {
						grouped[next] = true
						group = append(group, next)
					}
				}
			}
		}
		alike := len(group) <= len(others)
		for c := range others {
			alike = alike && (c == fits[r][0] || same != nil && same(fits[r][0], c))
		}
		for _, g := range group {
			if alike {
				match[g] = fits[g][0]
			}
		}
	}
	return match
}

// maxDelay is how long a forwarder may have waited for a busy machine.
const maxDelay = 40 * time.Millisecond

// clockTick is what the kernel's clock counts these times in: 10, 4 or 1 ms. Two
// moments read one after the other may differ by one more than they do.
func clockTick(lists ...[]Flow) time.Duration {
	for _, tick := range []time.Duration{10 * time.Millisecond, 4 * time.Millisecond} {
		whole := true
		for _, list := range lists {
			for _, f := range list {
				whole = whole && f.LastSent%tick == 0 && f.LastReceived%tick == 0
			}
		}
		if whole {
			return tick
		}
	}
	return time.Millisecond
}

// Settled are the flows of now that are as they were before: no data went in
// between. before and now are two readings of the same connections.
func Settled(before, now []Flow) []Flow {
	was := make(map[[2]netip.AddrPort]Flow, len(before))
	for _, f := range before {
		was[[2]netip.AddrPort{f.Local, f.Remote}] = f
	}
	var list []Flow
	for _, f := range now {
		if b, ok := was[[2]netip.AddrPort{f.Local, f.Remote}]; ok && b.inode == f.inode && b.Sent == f.Sent && b.Received == f.Received {
			list = append(list, f)
		}
	}
	return list
}
