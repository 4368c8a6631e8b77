//go:build !linux

package hostops

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/shirou/gopsutil/v4/net"
)

// readSockets asks gopsutil. Peers of Unix sockets are not told there.
func readSockets(ctx context.Context, _ func(pid int) bool) (*Sockets, error) {
	rows, err := net.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, fmt.Errorf("read the table of TCP sockets: %w", err)
	}
	s := &Sockets{}
	for _, r := range rows {
		t := tcpSocket{local: tableAddr(r.Laddr), remote: tableAddr(r.Raddr), listening: r.Status == "LISTEN", uid: -1, holder: int(r.Pid)}
		if t.listening || r.Status == "ESTABLISHED" || r.Status == "CLOSE_WAIT" {
			s.tcp = append(s.tcp, t)
		}
	}
	return s, nil
}

func tableAddr(a net.Addr) netip.AddrPort {
	ip := a.IP
	if ip == "*" || ip == "" {
		ip = "::"
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(a.Port))
}

func readTCP(ctx context.Context) (*Sockets, error) { return readSockets(ctx, nil) }
