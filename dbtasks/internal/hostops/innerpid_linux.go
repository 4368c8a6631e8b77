package hostops

import "fmt"

// InnerPID is the pid that a process has in its own pid namespace, the last of
// NSpid in /proc/PID/status (proc(5)), which every account may read: what a
// server in a container takes for its backend's pid. It is the process's own
// pid where it lives in no namespace below ours.
func InnerPID(pid int) (int, error) {
	pids, err := readNSpid(pid)
	if err != nil {
		return 0, err
	}
	return pids[len(pids)-1], nil
}

// readNSpid reads the pids of a process, ours first and its own last.
func readNSpid(pid int) (pids []int, err error) {
	err = readProc(procDir(pid)+"/status", func(text []byte) (err error) {
		pids, err = parseNSpid(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return pids, nil
}
