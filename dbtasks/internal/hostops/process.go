// Package hostops is the operating system: processes, sockets and listeners,
// whose they are, and stopping them. It knows no database.
package hostops

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Identity names one process for its whole life: a pid alone may be used
// again by another process.
type Identity struct {
	PID     int
	Started int64 // clock ticks since boot on Linux, a time elsewhere; to compare, not to show
}

// State is what a process does, as far as it matters here.
type State int

// A Stopped process (SIGSTOP, Ctrl+Z) keeps its connections for ever. A Zombie
// has ended and waits for its parent to notice.
const (
	Running State = iota
	Stopped
	Zombie
)

// Process is one process as seen at one moment. Its Args may hold other
// programs' passwords: people are shown Command, and so are %v and %+v.
type Process struct {
	Identity
	PPID, PGID int      // PGID 0: unknown
	UID        int      // the effective user; -1: unknown
	Name       string   // the kernel's short name
	Args       []string // the command line; a rewritten title is one string
	State      State
	Kernel     bool // a thread of the kernel's own: no program, no folder, no files (Linux)

	// Exe and Dir cost a system call each: Snapshot leaves them empty, Detail
	// and Find fill them in. Empty there: not for this user to know.
	Exe, Dir string
	// StartTime is filled in with them; zero: unknown.
	StartTime time.Time
}

// Title is the whole command line as ps shows it, passwords included: to be
// parsed, not to be shown.
func (p Process) Title() string { return strings.Join(p.Args, " ") }

// String names the process for people and logs.
func (p Process) String() string { return fmt.Sprintf("%s (pid %d)", p.Command(), p.PID) }

// GoString keeps passwords out of %#v too.
func (p Process) GoString() string { return fmt.Sprintf("hostops.Process{%s}", p) }

// Gone tells whether a process has ended: no such pid, another start, or a
// zombie, which only waits for its parent. What can't be looked at is not gone.
func Gone(id Identity) bool {
	now, state, err := identify(id.PID)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return now.Started != id.Started || state == Zombie
}

// Find looks at one process, Exe, Dir and StartTime included. Where there is
// none its error is fs.ErrNotExist.
func Find(pid int) (Process, error) {
	p, err := look(pid)
	if err != nil {
		return p, err
	}
	addDetail(&p)
	return p, nil
}

// Mine tells whether the process is this user's own. What can't be told is not.
func (p Process) Mine() bool {
	return p.UID >= 0 && p.UID == os.Getuid() || os.Getuid() < 0 && p.mineByName()
}

// errNoProcess is the error of a look at a pid that nobody has.
func errNoProcess(pid int) error {
	return fmt.Errorf("look at process %d: %w", pid, fs.ErrNotExist)
}
