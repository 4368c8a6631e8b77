//go:build linux || darwin

package hostops_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

func TestTheKernelNamesWhoListensBehindASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".s.PGSQL.5432")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := hostops.PeerCred(path)
	if err != nil || peer.PID != os.Getpid() || peer.UID != os.Getuid() {
		t.Errorf("%+v, %v, want pid %d of account %d", peer, err, os.Getpid(), os.Getuid())
	}
	_ = l.Close()
	if peer, err := hostops.PeerCred(path); err == nil {
		t.Errorf("a socket that nobody listens behind: %+v", peer)
	}
}
