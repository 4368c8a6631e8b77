package hostops

import (
	"context"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// One sysctl tells all about all processes but arguments, program and folder.
// gopsutil starts a ps for the state of each, which a pass over hundreds of
// processes and a poll every few milliseconds can't afford; it is asked for
// program and folder alone.

// States of struct extern_proc (sys/proc.h).
const (
	kernStopped = 4 // SSTOP
	kernZombie  = 5 // SZOMB
)

func listProcesses(ctx context.Context, _ func(p, parent Process) bool) ([]Process, error) {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	list := make([]Process, 0, len(all))
	for i := range all {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p := fromKern(&all[i])
		p.Args = argsOf(p.PID)
		list = append(list, p)
	}
	return list, nil
}

func look(pid int) (Process, error) {
	k, err := kern(pid)
	if err != nil {
		return Process{}, err
	}
	p := fromKern(k)
	p.Args = argsOf(pid)
	return p, nil
}

func identify(pid int) (Identity, State, error) {
	k, err := kern(pid)
	if err != nil {
		return Identity{}, 0, err
	}
	p := fromKern(k)
	return p.Identity, p.State, nil
}

func kern(pid int) (*unix.KinfoProc, error) {
	found, err := unix.SysctlKinfoProcSlice("kern.proc.pid", pid)
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	if len(found) == 0 || int(found[0].Proc.P_pid) != pid {
		return nil, errNoProcess(pid)
	}
	return &found[0], nil
}

func fromKern(k *unix.KinfoProc) Process {
	started := k.Proc.P_starttime
	p := Process{
		Identity: Identity{PID: int(k.Proc.P_pid), Started: started.Sec*1e6 + int64(started.Usec)},
		PPID:     int(k.Eproc.Ppid),
		PGID:     int(k.Eproc.Pgid),
		UID:      int(k.Eproc.Ucred.Uid),
		Name:     unix.ByteSliceToString(k.Proc.P_comm[:]),
	}
	switch k.Proc.P_stat {
	case kernStopped:
		p.State = Stopped
	case kernZombie:
		p.State = Zombie
	}
	return p
}

// argsOf is nil for another user's process.
func argsOf(pid int) []string {
	data, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return nil
	}
	args, _ := parseProcArgs(data)
	return args
}

func addDetail(p *Process) {
	proc := process.Process{Pid: int32(p.PID)}
	exe, _ := proc.Exe()
	dir, _ := proc.Cwd()
	if now, _, err := identify(p.PID); err != nil || now != p.Identity {
		return // what was read is another process's
	}
	p.Exe, p.Dir, p.StartTime = exe, dir, time.UnixMicro(p.Started)
}

func (p Process) mineByName() bool { return false }
