//go:build linux

package faults

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// killedFaults: SIGKILL at once to each choice of the processes of dev:start:
// the tool itself, the supervisor between it and the dev server, and the watcher
// over both.
var killedFaults = func() (list []fault) {
	for choice := 1; choice < 8; choice++ {
		var names []string
		for i, name := range []string{"tool", "supervisor", "watcher"} {
			if choice&(1<<i) != 0 {
				names = append(names, name)
			}
		}
		inject, words := severalServing, ""
		if len(names) == 3 {
			// Nobody is left who could end more than the command itself, which the
			// kernel does.
			inject, words = oneServing, ", a dev server of one process"
		}
		list = append(list, asBoth(fault{name: "killed at once: " + strings.Join(names, ", ") + words, inject: inject,
			act: func(s *scene) outcome { return s.killed(names) }, exit: exitWhenKilled(names)})...)
	}
	return list
}()

// exitWhenKilled: without its supervisor the tool reports the loss of it, and
// without the watcher nothing is missing but the user's own Ctrl+C.
func exitWhenKilled(names []string) int {
	switch {
	case slices.Contains(names, "tool"):
		return -1
	case slices.Contains(names, "supervisor"):
		return 1
	}
	return 143
}

// severalServing is a dev server with children, one in a session of its own.
func severalServing(s *scene) {
	_, node := programs(s.T)
	s.env["DBTASKS_DEV_COMMAND"] = "sleep 50 & CHILDREN=2 SETSID=1 DBTASKS_ROLE=listen '" + node + "'"
}

func oneServing(s *scene) {
	_, node := programs(s.T)
	s.env["DBTASKS_DEV_COMMAND"] = "DBTASKS_ROLE=listen exec '" + node + "'"
}

// killed runs dev:start until its server listens and kills these at once; what
// goes on then is ended with TERM.
func (s *scene) killed(names []string) outcome {
	s.row.target = "dev:start"
	pid, wait := s.running("dev:start")
	s.eventually("the dev server listens", func() bool { return s.said("listening") })
	roles := map[string]int{"tool": pid}
	watcher := 0
	for _, child := range childrenOf(pid) {
		if strings.Contains(commandLine(strconv.Itoa(child)), "should that be killed") {
			roles["watcher"], watcher = child, child
		} else {
			roles["supervisor"] = child
		}
	}
	if len(roles) != 3 {
		s.Fatalf("the processes of dev:start are %v", roles)
	}
	began := startTime(watcher)
	var victims []int
	for _, name := range names {
		victims = append(victims, roles[name])
	}
	for _, victim := range victims { // none gets to notice the end of another
		s.must(syscall.Kill(victim, syscall.SIGSTOP))
	}
	for _, victim := range victims {
		s.must(syscall.Kill(victim, syscall.SIGKILL))
	}
	if slices.Equal(names, []string{"watcher"}) {
		s.must(syscall.Kill(pid, syscall.SIGTERM))
	}
	o := wait()
	s.eventually("the watcher has ended", func() bool { return startTime(watcher) != began })
	return o
}

func childrenOf(pid int) (children []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			if fields := statFields(n); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
				children = append(children, n)
			}
		}
	}
	return children
}
