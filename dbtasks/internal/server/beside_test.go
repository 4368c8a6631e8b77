package server

import (
	"net/netip"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// Debian's server listens at 127.0.0.1 and at ::1: that is one server.
func TestAServerAtTwoAddressesIsNotTwoServers(t *testing.T) {
	at := func(addr string, pid, uid int) hostops.Listener {
		return hostops.Listener{Addr: netip.MustParseAddrPort(addr), PID: pid, UID: uid}
	}
	for name, c := range map[string]struct {
		list []hostops.Listener
		want int
	}{
		"one process":                    {[]hostops.Listener{at("127.0.0.1:5432", 7, 101), at("[::1]:5432", 7, 101)}, 0},
		"two of one account":             {[]hostops.Listener{at("127.0.0.1:5432", 7, 101), at("[::1]:5432", 8, 101)}, 1},
		"hidden, one account":            {[]hostops.Listener{at("127.0.0.1:5432", 0, 101), at("[::1]:5432", 0, 101)}, 0},
		"hidden, two accounts":           {[]hostops.Listener{at("127.0.0.1:5432", 0, 101), at("[::1]:5432", 0, 999)}, 1},
		"another port":                   {[]hostops.Listener{at("127.0.0.1:5432", 7, 101), at("[::1]:5433", 8, 101)}, 0},
		"we came in through a wildcard":  {[]hostops.Listener{at("0.0.0.0:5432", 7, 101), at("127.0.0.2:5432", 8, 101)}, 0},
		"one socket that two hold, once": {[]hostops.Listener{at("127.0.0.1:5432", 7, 101), at("[::1]:5432", 8, 101), at("[::1]:5432", 9, 101)}, 1},
	} {
		own, others := split(c.list, netip.MustParseAddrPort("127.0.0.1:5432"))
		if got := strangers(own, others); len(got) != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
}
