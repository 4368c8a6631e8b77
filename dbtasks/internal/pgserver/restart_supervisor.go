package pgserver

import (
	"fmt"
	"os/exec"
	"strings"
)

// planSupervisor asks the program that started the server and would start it
// again: what goes on behind its back it takes for a crash. A supervisor that
// does not tell which of its processes the server is, is not asked: the command
// to type is said.
func planSupervisor(_ Postmaster, s surroundings) (Restart, bool, error) {
	for _, up := range s.parents {
		name := up.name
		if len(up.args) > 0 {
			name = programName(up.args[0])
		}
		argv, known := []string(nil), true
		switch name {
		case "process-compose":
			// It gives each process its name in PC_PROC_NAME.
			argv = append([]string{"process-compose"}, composeAddress(up.args)...)
			argv = append(argv, "process", "restart", s.variable("PC_PROC_NAME"))
		case "tmux", "tmux:":
			if !strings.Contains(strings.Join(up.args, " "), "overmind") {
				continue
			}
			argv = []string{"overmind", "restart", ""}
		case "overmind":
			argv = []string{"overmind", "restart", ""}
		case "goreman":
			argv = []string{"goreman", "run", "restart", ""}
		case "foreman", "hivemind", "honcho":
			return Restart{}, false, &ManualRestart{Why: name + " runs it, which can't restart one of its processes", Command: name + " start"}
		default:
			argv, known = supervisord(name, up, s)
		}
		if !known {
			continue
		}
		if argv[len(argv)-1] == "" {
			argv[len(argv)-1] = "NAME"
			return Restart{}, false, &ManualRestart{Why: argv[0] + " runs it, and does not tell under which NAME", Command: strings.Join(argv, " ")}
		}
		r := planProgram(RestartBySupervisor, argv, fmt.Sprintf("%s is its parent, and gave it the name %s", name, argv[len(argv)-1]))
		prepare, dir := r.prepare, up.dir
		r.prepare = func() *exec.Cmd { cmd := prepare(); cmd.Dir = dir; return cmd } // its socket or settings may be there
		return r, true, nil
	}
	return Restart{}, false, nil
}

// supervisord runs in Python, so it is told by its script. Its children have
// SUPERVISOR_* in their environment
// (http://supervisord.org/subprocess.html#subprocess-environment).
func supervisord(name string, up parent, s surroundings) ([]string, bool) {
	if name != "supervisord" && (!strings.HasPrefix(name, "python") || len(up.args) < 2 || programName(up.args[1]) != "supervisord") {
		return nil, false
	}
	process, group := s.variable("SUPERVISOR_PROCESS_NAME"), s.variable("SUPERVISOR_GROUP_NAME")
	if process != "" && group != "" && group != process {
		process = group + ":" + process
	}
	argv := []string{"supervisorctl"}
	if url := s.variable("SUPERVISOR_SERVER_URL"); url != "" {
		argv = append(argv, "-s", url)
	}
	return append(argv, "restart", process), true
}

// composeAddress are the options that say where a process-compose listens.
func composeAddress(args []string) []string {
	var options []string
	for i, arg := range args {
		switch option, value, joined := strings.Cut(arg, "="); option {
		case "-p", "--port", "-u", "--unix-socket":
			if !joined && i+1 < len(args) {
				value = args[i+1]
			}
			options = append(options, option, value)
		}
	}
	return options
}
