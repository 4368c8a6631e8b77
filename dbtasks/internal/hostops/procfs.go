package hostops

import (
	"bytes"
	"strconv"
	"strings"
)

// kernelThread is PF_KTHREAD among a process's flags (linux/sched.h).
const kernelThread = 0x00200000

// parseStat reads /proc/PID/stat. The name stands in parentheses and may hold
// spaces and parentheses itself: it ends at the last one.
func parseStat(text []byte) (Process, error) {
	var p Process
	open, closing := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 1 || closing < open {
		return p, errMalformed
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:open])))
	fields := strings.Fields(string(text[closing+1:]))
	if err != nil || pid < 1 || len(fields) < 20 {
		return p, errMalformed
	}
	p.PID, p.Name = pid, string(text[open+1:closing])
	flags, _ := strconv.ParseUint(fields[6], 10, 64)
	p.Kernel = flags&kernelThread != 0
	switch fields[0] {
	case "T", "t":
		p.State = Stopped
	case "Z", "X", "x":
		// The first thread is a zombie already while others still end, or go
		// on: until the last has gone the process keeps its sockets.
		if threads, err := strconv.Atoi(fields[17]); err != nil || threads <= 1 {
			p.State = Zombie
		}
	}
	var errs [3]error
	p.PPID, errs[0] = strconv.Atoi(fields[1])
	p.PGID, errs[1] = strconv.Atoi(fields[2])
	p.Started, errs[2] = strconv.ParseInt(fields[19], 10, 64)
	for _, err := range errs {
		if err != nil {
			return p, errMalformed
		}
	}
	return p, nil
}

// parseCmdline reads /proc/PID/cmdline. A title written over the arguments is
// one string with nothing but NULs or blanks behind it.
func parseCmdline(text []byte) []string {
	text = bytes.TrimRight(text, "\x00 ")
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\x00")
}
