package devserver

import (
	"context"
	"errors"
	"net"
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
			if got, err := FreePort(port, port); err == nil {
				t.Errorf("%d is called free", got)
			}
			if next, err := FreePort(port, min(port+200, 65535)); err != nil || next == port {
				t.Errorf("the next free one: %d, %v", next, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got, err := FreePort(port, port); got != port {
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
	_, err = FreePort(port, port)
	var none *PortError
	if !errors.Is(err, ErrNoPort) || !errors.As(err, &none) || none.First != port || none.Last != port {
		t.Errorf("%v", err)
	}
	for _, r := range [][2]int{{3005, 3000}, {70000, 70010}, {-5, 0}} {
		if got, err := FreePort(r[0], r[1]); !errors.Is(err, ErrNoPort) {
			t.Errorf("%v: %d, %v", r, got, err)
		}
	}
	if want := "no port of 3005-3000 is free"; (&PortError{3005, 3000}).Error() != want {
		t.Error((&PortError{3005, 3000}).Error())
	}
}
