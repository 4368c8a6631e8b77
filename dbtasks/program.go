package dbtasks

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// program is how the user calls these targets, for the next commands in the
// output. The wrapper says it where there is no shorter way. A compiled runbook is called by its own path. A binary from Mage's
// cache was started by mage, or by "go tool mage", whose program lies in Go's
// own build cache.
func program() string {
	if wrapper := os.Getenv("DBTASKS_PROGRAM"); wrapper != "" {
		return wrapper
	}
	self := os.Args[0]
	if name := strings.TrimSuffix(filepath.Base(self), ".exe"); named(name) {
		return plain.Word(self)
	}
	if exe, err := os.Readlink(filepath.Join("/proc", itoa(os.Getppid()), "exe")); err == nil && strings.Contains(exe, "go-build") {
		return "go tool mage"
	}
	return "mage"
}

// named tells the name of a compiled runbook: dbtasks, or a released file's,
// dbtasks-0.2.0-linux-amd64.
func named(program string) bool {
	return program == "dbtasks" || strings.HasPrefix(program, "dbtasks-")
}
