package pgserver

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/engine"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// Subject is one server as far as it is known to this user: a process of this
// machine, a container, or neither. Every field may be unknown (zero); what is
// unknown is never guessed. Who hands it over has proven which server it is.
type Subject struct {
	// Process is the postmaster; its PID is 0 where it is not known.
	hostops.Process
	// Environ is what the postmaster was started with, as NAME=value. Its own
	// account and root may see it; nil: not known. It may hold passwords.
	Environ []string
	// Cgroup is the text of /proc/PID/cgroup (Linux).
	Cgroup string
	// Parents are the processes above it, the nearest first, process 1 included.
	Parents []Parent
	// Terminal is the terminal that it was started from, "/pts/3"; "": none.
	Terminal string
	// DataDir is the data directory, from its files or its command line.
	DataDir string
	// Files is what its data directory tells; nil: not for this user to read.
	Files *Postmaster
	// Container is the container that it runs in; nil: none, or not known.
	Container *engine.Container
}

// Parent is a process above the server.
type Parent struct {
	hostops.Process
	Terminal string
	environ  func() []string
}

// ancestors bounds the way up; a server is a few processes below its supervisor.
const ancestors = 12

// SubjectOf looks at a postmaster of this machine. The error says why its data
// directory can't be read (ErrNotReadable, ErrNoPostmaster); what is known
// without it is there all the same.
func SubjectOf(pid int) (Subject, error) {
	p, err := hostops.Find(pid)
	if err != nil {
		return Subject{}, err
	}
	s := Subject{Process: p, Cgroup: cgroupOf(pid), Environ: environOf(pid)(), Terminal: terminalOf(pid)}
	for up := p.PPID; up > 0 && len(s.Parents) < ancestors; {
		one, err := hostops.Find(up)
		if err != nil {
			break
		}
		s.Parents = append(s.Parents, Parent{Process: one, Terminal: terminalOf(up), environ: environOf(up)})
		up = one.PPID
	}
	if dir := dataDirOption(p.Args); filepath.IsAbs(dir) {
		s.DataDir = filepath.Clean(dir)
	}
	pm, err := Inspect(pid, p.Exe, p.Args, p.Dir)
	if err == nil {
		s.Files, s.DataDir = &pm, pm.DataDir
	}
	return s, err
}

func environOf(pid int) func() []string {
	return func() []string {
		p, err := process.NewProcess(int32(pid))
		if err != nil {
			return nil
		}
		env, _ := p.Environ()
		return slices.DeleteFunc(env, func(entry string) bool { return !strings.Contains(entry, "=") })
	}
}

func terminalOf(pid int) string {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return ""
	}
	terminal, _ := p.Terminal()
	return terminal
}

// variable is one of the environment that the server was started with.
func (s Subject) variable(name string) string { return variableIn(s.Environ, name) }

func variableIn(environ []string, name string) string {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// below tells whether a process is the server or one above it: what a
// supervisor starts may be a shell that starts the server.
func (s Subject) below(pid int) bool {
	return pid != 0 && (pid == s.PID || slices.ContainsFunc(s.Parents, func(p Parent) bool { return p.PID == pid }))
}

// program is the name of a parent's program; a script counts by its own name,
// not by its interpreter's.
func (p Parent) program() string {
	if len(p.Args) == 0 {
		return strings.ToLower(p.Name)
	}
	name := programName(p.Args[0])
	if interpreter(name) {
		for _, arg := range p.Args[1:] {
			if !strings.HasPrefix(arg, "-") {
				return programName(arg)
			}
		}
	}
	return name
}

func interpreter(name string) bool {
	return strings.HasPrefix(name, "python") || name == "node" || name == "nodejs" || name == "bun" || strings.HasPrefix(name, "ruby") || name == "perl"
}

// carries tells whether a parent only hands on what it was told to run: a
// shell with a command or a script, a program that changes the account, a
// pg_ctl that has not ended yet.
func (p Parent) carries() bool {
	switch p.program() {
	case "sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "env", "su", "sudo", "runuser", "setpriv", "gosu", "su-exec", "doas", "nice", "nohup", "time", "tini", "dumb-init", "catatonit", "docker-init", "pg_ctl", "pg_ctlcluster":
		return true
	}
	return false
}

// typedIn tells whether it is the shell of a terminal that somebody types in.
func (p Parent) typedIn() bool {
	switch strings.TrimPrefix(p.program(), "-") {
	case "sh", "bash", "dash", "zsh", "ksh", "fish", "nu":
	default:
		return false
	}
	for _, arg := range p.Args[1:] {
		if !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c") {
			return false // a script, or -c
		}
	}
	return p.Terminal != ""
}

// systemd tells whether it is a manager of units: process 1, or a user's.
func (p Parent) systemd() bool { return p.Name == "systemd" || p.program() == "systemd" }

// adopted tells whether the server's parent is known not to be what started
// it: process 1, a user's systemd, or one that took over what pg_ctl had left.
// pg_ctl tells each server the process that it was itself started by
// (PG_GRANDPARENT_PID, do_start in src/bin/pg_ctl/pg_ctl.c).
func (s Subject) adopted() bool {
	if len(s.Parents) == 0 {
		return true
	}
	up := s.Parents[0]
	return up.PID == 1 || up.systemd() || s.variable("PG_GRANDPARENT_PID") != ""
}

// cgroupPaths are the paths of a /proc/PID/cgroup: `0::/path` of version 2, and
// systemd's own hierarchy and the others of version 1
// (https://man7.org/linux/man-pages/man7/cgroups.7.html).
func cgroupPaths(text string) []string {
	var paths []string
	for line := range strings.Lines(text) {
		if fields := strings.SplitN(strings.TrimSpace(line), ":", 3); len(fields) == 3 && fields[2] != "/" {
			paths = append(paths, fields[2])
		}
	}
	return paths
}

// programName is a program's name without folder and .exe, in small letters.
func programName(name string) string {
	return strings.TrimSuffix(strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/"))), ".exe")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
