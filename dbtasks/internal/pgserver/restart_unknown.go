package pgserver

import (
	"fmt"
	"slices"
	"strings"
)

// oneForAll are the programs that start what a file or a command line names
// and end all of it together: none of them restarts one process.
var oneForAll = []string{"hivemind", "foreman", "honcho", "concurrently", "conc", "npm-run-all", "npm-run-all2", "run-p", "wireit", "turbo", "mprocs"}

// procfilePrograms take the names of files and processes, and no secrets.
var procfilePrograms = []string{"hivemind", "foreman", "honcho"}

// toldUnknown refuses a server whose parent is neither a known supervisor nor
// one that adopted it: what started it may start it again, or take its end for
// the end of everything. The shell of a terminal does neither.
func toldUnknown(s Subject) (found, bool, error) {
	if s.adopted() || len(s.Parents) == 0 || s.Parents[0].typedIn() || keptByUs(s.Parents[0]) {
		return found{}, false, nil
	}
	who := s.Parents[0]
	for _, up := range s.Parents {
		if up.program() == "goreman" {
			command := "goreman run restart NAME"
			if port := option(up.Args, "-p", "--port"); port != "" {
				command = "goreman -p " + port + " run restart NAME"
			}
			return found{}, false, errManual(fmt.Sprintf("goreman (pid %d) runs it, and does not tell under which NAME of its Procfile", up.PID), "cd "+shellWord(up.Dir)+" && "+command)
		}
		if slices.Contains(oneForAll, up.program()) {
			who = up
			break
		}
		if who.carries() && !up.typedIn() && up.PID != 1 && !up.systemd() {
			who = up
		}
	}
	command := who.Command() // without what may be a secret
	if slices.Contains(procfilePrograms, who.program()) {
		command = shellLine(who.Args)
	}
	if who.Dir != "" {
		command = "cd " + shellWord(who.Dir) + " && " + command
	}
	why := fmt.Sprintf("%s (pid %d) started it and may start it again; what restarts a single process of it is not known. End it (Ctrl+C in its terminal, or kill -INT %[2]d) and start it again", strings.TrimPrefix(who.program(), "-"), who.PID)
	return found{}, false, errManual(why, fmt.Sprintf("kill -INT %d, and when it is gone: %s", who.PID, command))
}

// keptByUs tells whether a parent is the keeper of a disposable server, which
// does not mind when that is restarted.
func keptByUs(up Parent) bool {
	return up.environ != nil && variableIn(up.environ(), "DBTASKS_ROLE") == keeperRole
}
