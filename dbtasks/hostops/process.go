// Package hostops is the operating system: processes, sockets and listeners,
// whose they are, and stopping them. It knows no database.
package hostops

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Identity names one process for its whole life: a pid alone may be used
// again by another process.
type Identity struct {
	PID     int
	Started int64 // clock ticks since boot on Linux, milliseconds since 1970 elsewhere; to compare, not to show
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

// Process is one process as seen at one moment.
type Process struct {
	Identity
	PPID, PGID int      // PGID 0: unknown
	UID        int      // -1: unknown
	Name       string   // the kernel's short name
	Args       []string // the command line; a rewritten title is one string
	State      State

	// Exe and Dir cost a system call each: Snapshot leaves them empty, Detail
	// and Find fill them in. Empty there: not for this user to know.
	Exe, Dir string
	// StartTime is filled in with them; zero: unknown.
	StartTime time.Time
}

// Title is the whole command line as ps shows it.
func (p Process) Title() string { return strings.Join(p.Args, " ") }

// secret matches credentials that programs put on their command line.
var secret = regexp.MustCompile(`(://[^:/@\s]*:)[^@\s]*(@)|((?i:pass(?:word)?|pwd|token|secret)[=:])[^\s&]+`)

// commandWidth is how much of a command line people get to see.
const commandWidth = 80

// Command is the command line for people: folders of programs and scripts left
// out, credentials masked, at most 80 characters.
func (p Process) Command() string {
	words := make([]string, 0, len(p.Args))
	for _, arg := range p.Args {
		words = append(words, shorten(arg))
	}
	text := strings.TrimSpace(strings.Join(words, " "))
	if text == "" {
		text = p.Name
	}
	text = secret.ReplaceAllString(strings.Join(strings.Fields(text), " "), "$1$3***$2")
	if runes := []rune(text); len(runes) > commandWidth {
		text = string(runes[:commandWidth-1]) + "…"
	}
	return text
}

func shorten(arg string) string {
	if filepath.IsAbs(arg) && !strings.ContainsAny(arg, " :") {
		return filepath.Base(arg)
	}
	return arg
}

// Gone tells whether a process has ended: no such pid, another start, or a
// zombie, which only waits for its parent.
func Gone(id Identity) bool {
	p, err := look(id.PID)
	return err != nil || p.Started != id.Started || p.State == Zombie
}

// Find looks at one process, Exe and Dir included. Its error is
// os.ErrNotExist's kind when there is none.
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
