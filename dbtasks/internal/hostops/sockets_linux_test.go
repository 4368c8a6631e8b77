package hostops

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

// A listener and both ends of a connection, of each kind of address, are told
// by netlink as by /proc.
func TestNetlinkAndProcTellTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ network, listen, dial string }{
		{"tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"tcp6", "[::1]:0", "::1"},
		{"tcp", ":0", "127.0.0.1"}, // an IPv6 socket that serves IPv4
	} {
		listener, err := net.Listen(c.network, c.listen)
		if err != nil {
			t.Logf("%s: %v", c.network, err) // no IPv6 here
			continue
		}
		defer listener.Close()
		port := netip.MustParseAddrPort(listener.Addr().String()).Port()
		client, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(c.dial), port).String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		ofPort := func(list []tcpSocket, err error) []tcpSocket {
			if err != nil {
				t.Fatal(err)
			}
			list = slices.DeleteFunc(list, func(s tcpSocket) bool { return s.local.Port() != port && s.remote.Port() != port })
			slices.SortFunc(list, func(a, b tcpSocket) int { return int(a.inode) - int(b.inode) })
			return list
		}
		netlink, proc := ofPort(tcpSockets()), ofPort(tcpSocketsOfProc())
		if len(netlink) != 3 || !slices.Equal(netlink, proc) {
			t.Errorf("%s: netlink tells %+v, /proc %+v", c.network, netlink, proc)
		}
	}
}

func TestAnInetDiagMessageThatIsCutOffOrOfAnotherFamilyIsNotRead(t *testing.T) {
	t.Parallel()
	whole := make([]byte, 72)
	whole[0] = 2
	if _, ok := parseInetDiag(whole); !ok {
		t.Error("a whole message was not read")
	}
	other := slices.Clone(whole)
	other[0] = 1
	for _, garbage := range [][]byte{nil, whole[:71], other} {
		if s, ok := parseInetDiag(garbage); ok {
			t.Errorf("%v was read as %+v", garbage, s)
		}
	}
}
