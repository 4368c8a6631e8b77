package hostops

import (
	"fmt"
	"os"
	"path/filepath"
)

func socketName(port int) string { return fmt.Sprintf("/.s.PGSQL.%d", port) }

// SocketDirs are the usual folders of PostgreSQL's Unix sockets in which there
// is one for this port: Debian's and Red Hat's, and the source's own default,
// which Homebrew and Postgres.app keep.
func SocketDirs(port int) []string {
	var found []string
	for _, dir := range []string{"/var/run/postgresql", "/tmp"} {
		info, err := os.Stat(filepath.Join(dir, socketName(port)))
		if err == nil && info.Mode()&os.ModeSocket != 0 {
			found = append(found, dir)
		}
	}
	return found
}
