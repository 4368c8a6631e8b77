//go:build !linux

package hostops

import (
	"context"
	"fmt"
	"os/user"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Everywhere but on Linux gopsutil tells about processes: sysctl and libproc
// on macOS, Toolhelp and the PEB on Windows.

func listProcesses(ctx context.Context) ([]Process, error) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	list := make([]Process, 0, len(all))
	for _, proc := range all {
		if p, err := read(ctx, proc); err == nil {
			list = append(list, p)
		}
	}
	return list, nil
}

func look(pid int) (Process, error) {
	proc, err := process.NewProcess(int32(pid))
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return read(context.Background(), proc)
}

func read(ctx context.Context, proc *process.Process) (Process, error) {
	p := Process{Identity: Identity{PID: int(proc.Pid)}, UID: -1}
	started, err := proc.CreateTimeWithContext(ctx)
	if err != nil {
		return p, fmt.Errorf("look at process %d: %w", p.PID, err)
	}
	p.Started = started
	if ppid, err := proc.PpidWithContext(ctx); err == nil {
		p.PPID = int(ppid)
	}
	p.PGID = groupOf(p.PID)
	p.Name, _ = proc.NameWithContext(ctx)
	p.Args, _ = proc.CmdlineSliceWithContext(ctx)
	if uids, err := proc.UidsWithContext(ctx); err == nil && len(uids) > 0 {
		p.UID = int(uids[0])
	}
	if status, err := proc.StatusWithContext(ctx); err == nil {
		for _, s := range status {
			switch s {
			case process.Stop:
				p.State = Stopped
			case process.Zombie:
				p.State = Zombie
			}
		}
	}
	return p, nil
}

func addDetail(p *Process) {
	proc, err := process.NewProcess(int32(p.PID))
	if err != nil {
		return
	}
	p.Exe, _ = proc.Exe()
	p.Dir, _ = proc.Cwd()
	p.StartTime = time.UnixMilli(p.Started)
}

// mineByName decides where there are no user ids (Windows).
func (p Process) mineByName() bool {
	proc, err := process.NewProcess(int32(p.PID))
	if err != nil {
		return false
	}
	name, err := proc.Username()
	me, meErr := user.Current()
	return err == nil && meErr == nil && name == me.Username
}
