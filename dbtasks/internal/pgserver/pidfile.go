package pgserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pidFile is a postmaster.pid. Its lines, by PostgreSQL's source
// (src/include/utils/pidfile.h): pid, data directory, start time in seconds
// since 1970, port, first socket directory, first listen address, shared
// memory key, status (since 10).
type pidFile struct {
	pid       int
	dataDir   string
	started   time.Time
	port      int
	socketDir string
	address   string
	status    string // "starting", "stopping", "ready", "standby"; "" while it is being written
}

// readPIDFile reads the one of a data directory. fs.ErrNotExist: no server runs
// there; ErrNotReadable: not ours to see.
func readPIDFile(dataDir string) (pidFile, error) {
	f, err := os.Open(filepath.Join(dataDir, "postmaster.pid"))
	if errors.Is(err, fs.ErrPermission) {
		return pidFile{}, fmt.Errorf("%w: %s", ErrNotReadable, dataDir)
	}
	if err != nil {
		return pidFile{}, err
	}
	defer f.Close()
	return parsePIDFile(f)
}

// parsePIDFile takes a file that is still being written: later lines may be
// missing, the first may not.
func parsePIDFile(r io.Reader) (pidFile, error) {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(text), "\n")
	line := func(n int) string {
		if n >= len(lines) {
			return ""
		}
		return strings.TrimSpace(lines[n])
	}
	var p pidFile
	if p.pid, err = strconv.Atoi(line(0)); err != nil || p.pid == 0 {
		return pidFile{}, fmt.Errorf("postmaster.pid begins with %q, not with a pid", line(0))
	}
	if p.pid < 0 {
		return pidFile{}, fmt.Errorf("%w: a single-user server (pid %d) works there", ErrNoPostmaster, -p.pid)
	}
	p.dataDir, p.socketDir, p.address, p.status = line(1), line(4), line(5), line(7)
	if seconds, err := strconv.ParseInt(line(2), 10, 64); err == nil {
		p.started = time.Unix(seconds, 0)
	}
	p.port, _ = strconv.Atoi(line(3))
	return p, nil
}
