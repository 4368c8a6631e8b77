package devserver

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
)

func TestAPortThatIsListenedOnAtAnyAddressIsNotFree(t *testing.T) {
	t.Parallel()
	for _, a := range []struct{ network, address string }{
		{"tcp4", "127.0.0.1:0"}, {"tcp4", "0.0.0.0:0"}, {"tcp6", "[::1]:0"}, {"tcp6", "[::]:0"}, {"tcp", "[::]:0"},
	} {
		t.Run(a.network+" "+a.address, func(t *testing.T) {
			t.Parallel()
			var config net.ListenConfig
			l, err := config.Listen(context.Background(), a.network, a.address)
			if err != nil {
				if a.network != "tcp4" && len(boundAddresses()) < 4 {
					t.Skip("no IPv6 on this machine:", err)
				}
				t.Fatal(err)
			}
			port := l.Addr().(*net.TCPAddr).Port
			if got, err := FreePort([]int{port}); err == nil {
				t.Errorf("%d is called free", got)
			}
			if next, err := FreePort(from(port)); err != nil || next == port {
				t.Errorf("the next free one: %d, %v", next, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got, err := FreePort([]int{port}); got != port {
				t.Errorf("after its end: %d, %v", got, err)
			}
		})
	}
}

func TestNoFreePortIsAnErrorThatNamesTheRange(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = FreePort([]int{port})
	var none *PortError
	if !errors.Is(err, ErrNoPort) || !errors.As(err, &none) || !slices.Equal(none.Ports, []int{port}) {
		t.Errorf("%v", err)
	}
	for _, ports := range [][]int{nil, {70000, 70010}, {-5, 0}} {
		if got, err := FreePort(ports); !errors.Is(err, ErrNoPort) {
			t.Errorf("%v: %d, %v", ports, got, err)
		}
	}
	for want, ports := range map[string][]int{"port 3000 is taken": {3000}, "no port of 3000-3002 is free": {3000, 3001, 3002}, "none of the 2 ports from 3000 to 5173 that are set is free": {3000, 5173}} {
		if got := (&PortError{ports}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// from are 200 ports from one on.
func from(port int) (list []int) {
	for p := port; p < min(port+200, 65536); p++ {
		list = append(list, p)
	}
	return list
}
