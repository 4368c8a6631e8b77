package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Postmaster is a running server as its process and its files tell it.
type Postmaster struct {
	PID       int
	DataDir   string
	Bin       string // folder of its programs; "" when it can't be told
	Port      int
	SocketDir string // the first one; "" when it has none
	Started   time.Time
	Account   string // the operating system's account that owns the data directory
}

// Inspect finds the data directory of a postmaster from what the operating
// system tells about the process; each of exe, args and cwd may be empty. A
// postmaster's working directory is its data directory; -D may name a folder of
// settings only. Whichever is taken has a postmaster.pid with this very pid.
//
// ErrNotReadable: the directory belongs to another user. ErrNoPostmaster: no
// directory fits.
func Inspect(pid int, exe string, args []string, cwd string) (Postmaster, error) {
	hidden := false
	for _, dir := range dataDirCandidates(args, cwd) {
		file, err := readPIDFile(dir)
		if err != nil {
			hidden = hidden || errors.Is(err, ErrNotReadable)
			continue
		}
		if file.pid != pid {
			continue
		}
		pm := Postmaster{PID: pid, DataDir: dir, Port: file.port, SocketDir: file.socketDir, Started: file.started}
		if owner, err := ownerOf(dir); err == nil {
			pm.Account = owner.name
		}
		pm.Bin = binOf(exe, dir)
		return pm, nil
	}
	if hidden || (cwd == "" && os.Geteuid() > 0) {
		return Postmaster{}, fmt.Errorf("inspect process %d: %w", pid, ErrNotReadable)
	}
	return Postmaster{}, fmt.Errorf("inspect process %d: %w", pid, ErrNoPostmaster)
}

func dataDirCandidates(args []string, cwd string) []string {
	var dirs []string
	if cwd != "" {
		dirs = append(dirs, cwd)
	}
	if dir := dataDirOption(args); filepath.IsAbs(dir) {
		dirs = append(dirs, filepath.Clean(dir))
	}
	return dirs
}

// dataDirOption is the data directory on a postmaster's command line, as it is
// written there; the last one counts.
func dataDirOption(args []string) string {
	dir := ""
	for i, arg := range args {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch {
		case arg == "-D" || arg == "--pgdata":
			dir = next
		case strings.HasPrefix(arg, "--pgdata="):
			dir = strings.TrimPrefix(arg, "--pgdata=")
		case strings.HasPrefix(arg, "-D"):
			dir = arg[2:]
		case arg == "-c" && strings.HasPrefix(next, "data_directory="):
			dir = strings.TrimPrefix(next, "data_directory=")
		case strings.HasPrefix(arg, "--data_directory="), strings.HasPrefix(arg, "--data-directory="):
			dir = arg[len("--data_directory="):]
		}
	}
	return dir
}

// binOf is the folder that has the server's own pg_ctl: beside the executable,
// else beside the one that the server wrote down at its start (an upgrade
// removes the executable under a running server).
func binOf(exe, dataDir string) string {
	candidates := []string{strings.TrimSuffix(exe, " (deleted)")}
	if opts, err := readOpts(dataDir); err == nil && len(opts) > 0 {
		candidates = append(candidates, opts[0])
	}
	for _, path := range candidates {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		dir := filepath.Dir(path)
		if _, err := os.Stat(program(dir, "pg_ctl")); err == nil && filepath.IsAbs(dir) {
			return dir
		}
	}
	return ""
}

// readOpts reads postmaster.opts: the executable and its arguments, as they
// were given at the start.
func readOpts(dataDir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "postmaster.opts"))
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: %s", ErrNotReadable, dataDir)
	}
	if err != nil {
		return nil, err
	}
	return parseOpts(string(text)), nil
}

// parseOpts splits `/path/postgres "-D" "/data" "-c" "a=b"`: the path is bare
// and each argument quoted, with no escaping (CreateOptsFile in postmaster.c).
func parseOpts(line string) []string {
	line = strings.TrimRight(line, "\r\n")
	exe, rest, found := strings.Cut(line, ` "`)
	if !found {
		return []string{strings.TrimSpace(line)}
	}
	return append([]string{exe}, strings.Split(strings.TrimSuffix(rest, `"`), `" "`)...)
}

// worksIn tells whether a process lives and has this working directory, as the
// postmaster of a data directory has: a pid file may outlive its process.
func worksIn(pid int, dir string) bool {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return false
	}
	if state, err := p.Status(); err == nil && len(state) > 0 && state[0] == process.Zombie {
		return false
	}
	cwd, err := p.Cwd()
	if err != nil {
		return false
	}
	return sameFile(cwd, dir)
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
