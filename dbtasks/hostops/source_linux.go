package hostops

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// userHZ is the unit of start times in /proc/PID/stat: 100 on every
// architecture that Go runs on (sysconf(_SC_CLK_TCK)).
const userHZ = 100

func listProcesses(ctx context.Context) ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	list := make([]Process, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if p, err := look(pid); err == nil { // else it ended meanwhile
			list = append(list, p)
		}
	}
	return list, nil
}

// look reads stat, cmdline and the owner of one process.
func look(pid int) (Process, error) {
	base := "/proc/" + strconv.Itoa(pid)
	text, err := os.ReadFile(base + "/stat")
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	p, err := parseStat(text)
	if err != nil {
		return p, fmt.Errorf("look at process %d: %w", pid, err)
	}
	p.UID = -1
	// The folder belongs to the process's effective user; to root where the
	// process may not be looked into, which is then nobody's to touch either.
	var st syscall.Stat_t
	if syscall.Stat(base, &st) == nil {
		p.UID = int(st.Uid)
	}
	if cmdline, err := os.ReadFile(base + "/cmdline"); err == nil {
		p.Args = parseCmdline(cmdline)
	}
	return p, nil
}

func addDetail(p *Process) {
	base := "/proc/" + strconv.Itoa(p.PID)
	p.Exe, _ = os.Readlink(base + "/exe")
	p.Dir, _ = os.Readlink(base + "/cwd")
	if boot := bootTime(); !boot.IsZero() {
		p.StartTime = boot.Add(time.Duration(p.Started) * time.Second / userHZ)
	}
}

var bootTime = sync.OnceValue(func() time.Time {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range bytes.Lines(text) {
		if after, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(after)), 10, 64); err == nil {
				return time.Unix(n, 0)
			}
		}
	}
	return time.Time{}
})

func (p Process) mineByName() bool { return false }

// holders maps the inodes of sockets to the processes that hold them, as far
// as this user may look, in one pass.
func holders(ctx context.Context) (map[uint64][]int, error) {
	byInode := map[uint64][]int{}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 64)
	for _, base := range procs {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pid, err := strconv.Atoi(filepath.Base(base))
		if err != nil {
			continue
		}
		dir, err := os.Open(base + "/fd")
		if err != nil {
			continue // another user's, or gone
		}
		names, _ := dir.Readdirnames(-1)
		for _, name := range names {
			n, err := syscall.Readlink(base+"/fd/"+name, buf)
			if err != nil || n < len("socket:[0]") || !bytes.HasPrefix(buf[:n], []byte("socket:[")) {
				continue
			}
			if inode, err := strconv.ParseUint(string(buf[len("socket:["):n-1]), 10, 64); err == nil && !contains(byInode[inode], pid) {
				byInode[inode] = append(byInode[inode], pid)
			}
		}
		_ = dir.Close()
	}
	return byInode, nil
}

func contains(pids []int, pid int) bool {
	for _, p := range pids {
		if p == pid {
			return true
		}
	}
	return false
}
