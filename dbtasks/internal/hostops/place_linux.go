package hostops

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// PlaceOf tells where a process lives. Its error is fs.ErrNotExist where there
// is none of this pid.
func PlaceOf(pid int) (Place, error) {
	base := procDir(pid)
	pids, err := readNSpid(pid)
	if err != nil {
		return Place{}, err
	}
	cgroup, err := os.ReadFile(base + "/cgroup")
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return Place{}, fmt.Errorf("look where process %d lives: %w", pid, err)
	}
	p := Place{PIDs: pids}
	p.Engine, p.Container = ContainerOf(string(cgroup))
	if link, err := os.Readlink(base + "/ns/mnt"); err == nil {
		p.Mounts = parseNamespace(link)
	}
	return p, nil
}

// SameFolder tells whether a process's working directory is the folder that has
// this path here, whatever mount namespace the process lives in.
func SameFolder(pid int, dir string) bool {
	there, err := os.Stat(procDir(pid) + "/cwd")
	if err != nil {
		return false
	}
	here, err := os.Stat(dir)
	return err == nil && os.SameFile(there, here)
}

// ControlGroup is the path of a process's control group (cgroups(7), version 2);
// "" where it can't be told.
func ControlGroup(pid int) string {
	text, err := os.ReadFile(procDir(pid) + "/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if group, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSpace(group)
		}
	}
	return ""
}
