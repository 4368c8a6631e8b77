package pgops

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A server that refuses everybody for want of a slot is an answer: psql and
// node-postgres stop there (measured with ::1 full and 127.0.0.1 free).
func TestALoginStaysWithTheFirstAddressThatAnswers(t *testing.T) {
	first, _, logins := refusing(t)
	second, connections, _ := refusing(t)
	pin := NewPin(parsed(t, fmt.Sprintf("postgresql://app@127.0.0.1:%d,127.0.0.1:%d/shop?connection_limit=1", first, second)))
	for range 2 {
		_, err := pin.Login(t.Context())
		if CauseOf(err) != CauseStartingUp {
			t.Fatalf("want the first server's refusal, got %v", err)
		}
	}
	if logins.Load() != 2 || connections.Load() != 0 {
		t.Errorf("%d logins at the first and %d connections to the second, want 2 and 0", logins.Load(), connections.Load())
	}
	if got := pin.Address(); got.Port() != first {
		t.Errorf("pinned %s, want port %d", got, first)
	}
}

func TestALoginGoesOnWhereAnAddressCanNotBeReached(t *testing.T) {
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	second, _, logins := refusing(t)
	pin := NewPin(parsed(t, fmt.Sprintf("postgresql://app@127.0.0.1:%d,127.0.0.1:%d/shop?connection_limit=1", nobody, second)))
	if _, err := pin.Login(t.Context()); CauseOf(err) != CauseStartingUp {
		t.Fatal(err)
	}
	if logins.Load() != 1 || pin.Address().Port() != second {
		t.Errorf("%d logins at the second; pinned %s", logins.Load(), pin.Address())
	}
}

// 192.0.2.0/24 is for documentation: nothing answers there, and where the
// network says so at once the next host has all the time.
func TestASilentHostLeavesTimeForTheNext(t *testing.T) {
	second, _, logins := refusing(t)
	began := time.Now()
	pin := NewPin(parsed(t, fmt.Sprintf("postgresql://app@192.0.2.1:5432,127.0.0.1:%d/shop?connection_limit=1&connect_timeout=2", second)))
	if _, err := pin.Login(t.Context()); CauseOf(err) != CauseStartingUp || logins.Load() != 1 {
		t.Errorf("after %s: %d logins, %v", time.Since(began), logins.Load(), err)
	}
}

func TestAnAddressIsGivenUpOnlyWhereTheServerIsNotWhatTheURLAsksFor(t *testing.T) {
	pin := NewPin(parsed(t, "postgresql://app@a.test,b.test/shop?connection_limit=1&target_session_attrs=primary"))
	pin.address = Address{Host: pin.url.Hosts[0], Socket: "/nowhere"}
	if pin.moveOn(&pgconn.PgError{Code: "53300", Message: "sorry, too many clients already"}) {
		t.Error("a full server was given up")
	}
	if !pin.moveOn(fmt.Errorf("ValidateConnect failed: %s", "read only")) || !pin.Address().IsZero() {
		t.Error("a standby was kept")
	}
}

func TestAnAddressIsShownWithItsIPWhereTheHostIsAName(t *testing.T) {
	pin := NewPin(parsed(t, "postgresql://app@localhost:5/shop?connection_limit=1"))
	addresses, err := Resolve(t.Context(), pin.url.Hosts[0])
	if err != nil {
		t.Fatal(err)
	}
	if text := addresses[0].String(); !strings.HasPrefix(text, "localhost:5 (") {
		t.Error(text)
	}
	addresses, _ = Resolve(t.Context(), parsed(t, "postgresql://app@127.0.0.1/shop?connection_limit=1").Hosts[0])
	if text := addresses[0].String(); text != "127.0.0.1:5432" {
		t.Error(text)
	}
}
