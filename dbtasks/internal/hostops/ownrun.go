package hostops

import (
	"debug/buildinfo"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// modulePath is of this module: every program with the tool's targets in it
// carries it in its build information.
const modulePath = "github.com/pgrunbook/pgrunbook"

// runbookTarget is how a run of the tool is called, for a process of another
// user, whose program can't be looked at.
var runbookTarget = lazyregexp.New(`(?i)^(?:[a-z0-9_]+:)?(?:db|dev):(?:cleanup|monitor|who|limits|test|start|stop|recover|check|verify|drill|init)$`)

// Run tells whether a process is a run of this tool: its program has the tool's
// module built in. A name, which anybody may choose, is not enough. Of another
// user's process, whose program can't be read, the command line is looked at.
func (p Process) Run() bool {
	if p.PID == os.Getpid() {
		return true
	}
	file := p.Exe
	if _, err := os.Stat("/proc/self/exe"); err == nil { // also where the file is deleted, or of another mount namespace
		file = "/proc/" + strconv.Itoa(p.PID) + "/exe"
	}
	info, err := buildinfo.ReadFile(file)
	if err == nil {
		if info.Main.Path == modulePath {
			return true
		}
		for _, m := range info.Deps {
			if m.Path == modulePath {
				return true
			}
		}
		return false
	}
	if !os.IsPermission(err) {
		return false // no program of Go's
	}
	return p.calledAsTarget()
}

// RunsTarget tells whether a process is a run of this tool by its program and
// is called as one of its targets: for sessions of which no name is known.
func (p Process) RunsTarget() bool { return p.calledAsTarget() && p.Run() }

func (p Process) calledAsTarget() bool {
	return slices.ContainsFunc(p.Args, func(arg string) bool { return runbookTarget().MatchString(strings.TrimSpace(arg)) })
}
