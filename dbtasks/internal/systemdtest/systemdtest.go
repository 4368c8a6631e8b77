// Package systemdtest boots a Debian with a real systemd in a few seconds, for
// tests of what a service manager does with a server: the file system of this
// machine as an overlay whose changes live in memory, processes and a network
// of its own, systemd as its first process (systemd-nspawn). Nothing of it is
// left when the test ends, or is killed.
//
// It needs root, Linux, apt-get and dpkg: the packages that are not here
// (systemd itself, sudo, supervisor) are installed into the overlay. Without
// that the tests skip and say why; with CI or DBTASKS_TEST_ENGINES set they fail
// as root instead.
package systemdtest

import (
	"os"
	"testing"
)

// Unavailable skips a test whose machine can't be made here, or fails it where
// it has to be made.
func Unavailable(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI")+os.Getenv("DBTASKS_TEST_ENGINES") != "" && os.Geteuid() == 0 {
		t.Fatalf("a machine with systemd can't be made, and it is wanted here (CI, DBTASKS_TEST_ENGINES): %s", reason)
	}
	t.Skipf("no machine with systemd: %s", reason)
}
