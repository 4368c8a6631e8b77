package hostops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
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
	p := Place{PIDs: pids, cgroup: string(cgroup)}
	p.Engine, p.Container = ContainerOf(p.cgroup)
	if link, err := os.Readlink(base + "/ns/mnt"); err == nil {
		p.Mounts = parseNamespace(link)
	}
	if link, err := os.Readlink(base + "/ns/pid"); err == nil {
		p.Processes = parseNamespace(link)
	}
	return p, nil
}

// HostPID is the pid here of the process that is inner to the process table that
// neighbour lives in: neighbour is a container's main process, say, and inner
// the backend's pid that its server tells. It does for other users' processes,
// too: their namespaces are hidden then, but not their control group and pids.
//
// fs.ErrNotExist: there is no such process. ErrAmbiguous: several may be it.
func HostPID(ctx context.Context, neighbour, inner int) (int, error) {
	near, err := PlaceOf(neighbour)
	if err != nil {
		return 0, err
	}
	if len(near.PIDs) == 1 {
		if _, err := PlaceOf(inner); err != nil {
			return 0, err
		}
		return inner, nil
	}
	pids, err := listPIDs()
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, pid := range pids {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		p, err := PlaceOf(pid)
		if err != nil || len(p.PIDs) != len(near.PIDs) || p.PIDs[len(p.PIDs)-1] != inner {
			continue
		}
		if p.Processes != 0 && near.Processes != 0 && p.Processes == near.Processes ||
			(p.Processes == 0 || near.Processes == 0) && p.cgroup == near.cgroup {
			found = append(found, pid)
		}
	}
	switch {
	case len(found) == 0:
		return 0, fmt.Errorf("find process %d of the process table of %d: %w", inner, neighbour, fs.ErrNotExist)
	case len(found) > 1:
		slices.Sort(found)
		return 0, fmt.Errorf("find process %d of the process table of %d: %w: %v", inner, neighbour, ErrAmbiguous, found)
	}
	return found[0], nil
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
