package hostops

import (
	"bytes"
	"fmt"
	"strconv"
)

// InnerPID is the pid that a process has in its own pid namespace, the last of
// NSpid in /proc/PID/status (proc(5)), which every account may read: what a
// server in a container takes for its backend's pid. It is the process's own
// pid where it lives in no namespace below ours.
func InnerPID(pid int) (int, error) {
	inner := 0
	err := readProc(procDir(pid)+"/status", func(text []byte) (err error) {
		inner, err = parseNSpid(text)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return inner, nil
}

func parseNSpid(status []byte) (int, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte("NSpid:"))
		if !ok {
			continue
		}
		pids := bytes.Fields(rest)
		if len(pids) == 0 {
			return 0, errMalformed
		}
		n, err := strconv.Atoi(string(pids[len(pids)-1]))
		if err != nil {
			return 0, errMalformed
		}
		return n, nil
	}
	return 0, errMalformed
}
