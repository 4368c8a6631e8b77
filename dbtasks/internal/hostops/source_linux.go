package hostops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// userHZ is the unit of start times in /proc/PID/stat: 100 on every
// architecture that Go runs on (sysconf(_SC_CLK_TCK)).
const userHZ = 100

func listProcesses(ctx context.Context, bare func(p, parent Process) bool) ([]Process, error) {
	pids, err := listPIDs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := make([]Process, len(pids))
	errs := make([]error, len(pids))
	inParallel(len(pids), func(i int) { all[i], errs[i] = readStat(pids[i]) })
	byPID := make(map[int]Process, len(all))
	for _, p := range all {
		byPID[p.PID] = p
	}
	inParallel(len(pids), func(i int) {
		switch p := &all[i]; {
		case errs[i] != nil || p.Kernel:
		case bare(*p, byPID[p.PPID]):
			p.UID = -1
		default:
			errs[i] = addOwner(p)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	list := all[:0]
	var firstErr error
	for i, err := range errs {
		switch {
		case err == nil:
			list = append(list, all[i])
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
			// it ended meanwhile, or /proc is mounted with hidepid=1
		case firstErr == nil:
			firstErr = err // a child left out would be a child left behind
		}
	}
	slices.SortFunc(list, func(a, b Process) int { return a.PID - b.PID })
	return list, firstErr
}

func listPIDs() ([]int, error) {
	names, err := namesIn("/proc")
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// look reads stat, cmdline and the owner of one process.
func look(pid int) (Process, error) {
	p, err := readStat(pid)
	if err == nil {
		err = addOwner(&p)
	}
	return p, err
}

// addOwner adds cmdline and owner.
func addOwner(p *Process) error {
	base := procDir(p.PID)
	_ = readProc(base+"/cmdline", func(text []byte) error {
		p.Args = parseCmdline(text)
		return nil
	})
	// The folder belongs to the effective user; to root the files in it, where
	// the process may not be dumped (measured; proc(5) is vague).
	var st syscall.Stat_t
	if err := syscall.Stat(base, &st); err != nil {
		return errNoProcess(p.PID)
	}
	p.UID = int(st.Uid)
	return nil
}

// identify is the part of look that never changes, and the state.
func identify(pid int) (Identity, State, error) {
	p, err := readStat(pid)
	return p.Identity, p.State, err
}

func readStat(pid int) (Process, error) {
	var p Process
	err := readProc(procDir(pid)+"/stat", func(text []byte) (err error) {
		p, err = parseStat(text)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // ESRCH: it ended between open and read
		return Process{}, errNoProcess(pid)
	}
	if err != nil {
		return p, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return p, nil
}

func procDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

func addDetail(p *Process) {
	base := procDir(p.PID)
	exe, _ := os.Readlink(base + "/exe")
	dir, _ := os.Readlink(base + "/cwd")
	if now, _, err := identify(p.PID); err != nil || now != p.Identity {
		return // what was read is another process's
	}
	p.Exe, p.Dir = exe, dir
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
