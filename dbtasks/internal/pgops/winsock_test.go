package pgops

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// On Windows an error of a socket is one of Windows' numbers, wrapped as here.
func TestWindowsErrorsOfSocketsAreToldByTheirNumbers(t *testing.T) {
	t.Parallel()
	for number, want := range map[syscall.Errno]Cause{
		10061: CauseConnectionRefused, 10060: CauseTimeout, 10065: CauseUnreachable, 10051: CauseUnreachable, 10049: CauseUnreachable,
		11001: CauseNoSuchHost, 10054: CauseSessionLost, 10053: CauseSessionLost,
	} {
		err := fmt.Errorf("log in: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connectex", number)})
		if got := CauseOf(err); got != want {
			t.Errorf("%d: %s, want %s", number, got, want)
		}
	}
	var atLogin error = &pgconn.ConnectError{Config: &pgconn.Config{}}
	if got := CauseOf(fmt.Errorf("%w: %w", atLogin, os.NewSyscallError("wsarecv", syscall.Errno(10054)))); got != CauseHungUp {
		t.Errorf("reset at login: %s", got)
	}
}
