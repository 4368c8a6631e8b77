package pgserver

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/shirou/gopsutil/v4/process"
)

// surroundings is what the operating system tells about a listener beyond its
// files: who runs it is told from these, never from what is installed.
type surroundings struct {
	exe     string
	args    []string
	cgroup  string // /proc/PID/cgroup; "" where there is none
	parents []parent
	env     func() []string // the environment that it was started with; its own user and root may see it
}

// parent is one ancestor, the nearest first.
type parent struct {
	name, dir string
	args      []string
}

// ancestors bounds the way up; a server is a few processes below its supervisor.
const ancestors = 12

func surroundingsOf(pid int) surroundings {
	s := surroundings{env: func() []string { return nil }, cgroup: cgroupOf(pid)}
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return s
	}
	s.exe, _ = p.Exe()
	s.args, _ = p.CmdlineSlice()
	s.env = func() []string { env, _ := p.Environ(); return env }
	for up, err := p.Parent(); err == nil && up.Pid > 1 && len(s.parents) < ancestors; up, err = up.Parent() {
		var a parent
		a.name, _ = up.Name()
		a.dir, _ = up.Cwd()
		a.args, _ = up.CmdlineSlice()
		s.parents = append(s.parents, a)
	}
	return s
}

// variable is one of the environment that the server was started with.
func (s surroundings) variable(name string) string {
	for _, entry := range s.env() {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
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
func programName(path string) string {
	name := strings.ToLower(filepath.Base(strings.ReplaceAll(path, `\`, "/")))
	return strings.TrimSuffix(name, ".exe")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
