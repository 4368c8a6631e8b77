//go:build !linux && !darwin

package hostops

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// On Windows gopsutil tells about processes: Toolhelp and the PEB.

func listProcesses(ctx context.Context, _ func(p, parent Process) bool) ([]Process, error) {
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
	proc, err := open(pid)
	if err != nil {
		return Process{}, err
	}
	return read(context.Background(), proc)
}

func identify(pid int) (Identity, State, error) {
	proc, err := open(pid)
	if err != nil {
		return Identity{}, 0, err
	}
	started, err := proc.CreateTime()
	if err != nil {
		return Identity{}, 0, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return Identity{PID: pid, Started: started}, Running, nil
}

func open(pid int) (*process.Process, error) {
	proc, err := process.NewProcess(int32(pid))
	if errors.Is(err, process.ErrorProcessNotRunning) {
		return nil, errNoProcess(pid)
	}
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return proc, nil
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
	p.Name, _ = proc.NameWithContext(ctx)
	p.Args, _ = proc.CmdlineSliceWithContext(ctx)
	return p, nil
}

func addDetail(p *Process) {
	proc, err := open(p.PID)
	if err != nil {
		return
	}
	exe, _ := proc.Exe()
	dir, _ := proc.Cwd()
	if now, _, err := identify(p.PID); err != nil || now != p.Identity {
		return // what was read is another process's
	}
	p.Exe, p.Dir, p.StartTime = exe, dir, time.UnixMilli(p.Started)
}

// mineByName decides where there are no user ids.
func (p Process) mineByName() bool {
	proc, err := process.NewProcess(int32(p.PID))
	if err != nil {
		return false
	}
	name, err := proc.Username()
	me, meErr := user.Current()
	return err == nil && meErr == nil && name == me.Username
}
