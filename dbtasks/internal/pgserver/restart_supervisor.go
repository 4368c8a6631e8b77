package pgserver

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/lazyregexp"
)

// supervisor is a program that starts servers, starts them again by itself,
// and restarts one of them when it is told its name.
type supervisor struct {
	program string // of the client
	is      func(Parent) bool
	// client is how the client reaches this very instance: its arguments, its
	// folder and the variables that it needs.
	client func(s Subject, up Parent) (args []string, dir string, env []string)
	list   []string // the client's words that list what it runs
	parse  func(list string) []running
	named  string // the variable that tells each process its name, for people
}

// running is one line of a supervisor's list.
type running struct {
	name    string
	pid     int    // 0: it does not run; -1: it runs, and its process is not known
	started string // when, in the supervisor's own words; "": it does not say
}

var (
	supervisordTool = supervisor{
		program: "supervisorctl", list: []string{"status"}, parse: parseSupervisorStatus, named: "SUPERVISOR_PROCESS_NAME",
		is: func(up Parent) bool { return up.program() == "supervisord" },
		// http://supervisord.org/subprocess.html#subprocess-environment
		client: func(s Subject, up Parent) (args []string, dir string, env []string) {
			if conf := option(up.Args, "-c", "--configuration"); conf != "" {
				args = append(args, "-c", absolute(up.Dir, conf))
			}
			if url := s.variable("SUPERVISOR_SERVER_URL"); url != "" {
				args = append(args, "-s", url)
			}
			return args, "", nil
		},
	}
	processComposeTool = supervisor{
		program: "process-compose", list: []string{"process", "list", "-o", "json"}, parse: parseComposeList, named: "PC_PROC_NAME",
		is:     func(up Parent) bool { return up.program() == "process-compose" },
		client: composeClient,
	}
	overmindTool = supervisor{
		program: "overmind", list: []string{"ps"}, parse: parseOvermindList, named: "PS",
		is: func(up Parent) bool {
			// It runs everything in a tmux of its own, whose socket has its name.
			return up.program() == "overmind" || strings.HasPrefix(up.program(), "tmux") && strings.Contains(strings.Join(up.Args, " "), "overmind")
		},
		client: func(s Subject, up Parent) (args []string, dir string, env []string) {
			if socket := s.variable("OVERMIND_SOCKET"); socket != "" {
				return []string{"-s", absolute(up.Dir, socket)}, up.Dir, nil
			}
			// PWD is the folder of .overmind.sock; tmux itself may have moved on.
			for _, folder := range []string{s.variable("PWD"), up.Dir} {
				if folder != "" && exists(filepath.Join(folder, ".overmind.sock")) {
					return nil, folder, nil
				}
			}
			return nil, up.Dir, nil
		},
	}
	pm2Tool = supervisor{
		program: "pm2", list: []string{"jlist"}, parse: parsePM2List, named: "name",
		is: func(up Parent) bool { return pm2Daemon().MatchString(strings.Join(up.Args, " ")) },
		client: func(s Subject, up Parent) (args []string, dir string, env []string) {
			if m := pm2Daemon().FindStringSubmatch(strings.Join(up.Args, " ")); m != nil {
				env = append(env, "PM2_HOME="+m[1])
			}
			return nil, "", env
		},
	}
)

// pm2Daemon is the title that PM2's daemon gives itself.
var pm2Daemon = lazyregexp.New(`^PM2 v\S+: God Daemon \((.*)\)$`)

func toldSupervisord(s Subject) (found, bool, error)    { return supervisordTool.told(s) }
func toldProcessCompose(s Subject) (found, bool, error) { return processComposeTool.told(s) }
func toldOvermind(s Subject) (found, bool, error)       { return overmindTool.told(s) }
func toldPM2(s Subject) (found, bool, error)            { return pm2Tool.told(s) }

// told asks the supervisor above the server which of its processes the server
// is. A name in the environment is no proof: two process-composes with a
// process `postgres` each are common, and the default address is the other
// one's. Where it does not answer, the command to type is said.
func (tool supervisor) told(s Subject) (found, bool, error) {
	i := slices.IndexFunc(s.Parents, tool.is)
	if i < 0 {
		return found{}, false, nil
	}
	up := s.Parents[i]
	args, dir, variables := tool.client(s, up)
	name := s.variable(tool.named)
	if name == "" {
		name = "NAME"
	}
	way := ways[slices.IndexFunc(ways, func(w way) bool { return w.name == tool.way() })]
	f := found{name: name, dir: dir, client: append([]string{tool.program}, args...)}
	typed := way.plan(s, f).Typed
	f.account = accountOf(uint32(max(up.UID, 0)))
	if up.UID < 0 || !f.account.usable() {
		return tool.asRoot(s, up, f, typed)
	}
	program, err := tool.find(s, up, f.account)
	if err != nil {
		return found{}, false, errManual(fmt.Sprintf("%s (pid %d) runs it, and its program %s is not found", tool.way(), up.PID, tool.program), typed)
	}
	f.client[0] = program
	f.env = clientEnviron(s, f.account, variables)
	return tool.ask(s, up, f, typed)
}

// asRoot is for a supervisor of another account: through sudo where that is
// allowed without a password.
func (tool supervisor) asRoot(s Subject, up Parent, f found, typed string) (found, bool, error) {
	typed = sudoTyped(up.UID, typed)
	why := fmt.Sprintf("%s (pid %d), which runs it, belongs to %s", tool.way(), up.PID, f.account.name)
	if up.UID != 0 || tool.program != "supervisorctl" {
		return found{}, false, errManual(why, typed)
	}
	f.account = account{}
	program, err := exec.LookPath(tool.program)
	if err != nil {
		return found{}, false, errManual(why, typed)
	}
	f.client[0] = program
	restart := append(slices.Clone(f.client), "restart", f.name)
	if answer := sudoMay(restart, append(slices.Clone(f.client), tool.list...)); !answer.may {
		return found{}, false, answer.manual(why, restart...)
	}
	f.client = append([]string{"sudo", "-n"}, f.client...)
	return tool.ask(s, up, f, typed)
}

// ask finds the server's name in the supervisor's own list.
func (tool supervisor) ask(s Subject, up Parent, f found, typed string) (found, bool, error) {
	command := Command{Argv: append(slices.Clone(f.client), tool.list...), Dir: f.dir, Env: f.env, account: f.account}
	var list []running
	var err error
	i := -1
	// supervisord tells no pid of a process in its first second.
	for began := time.Now(); i < 0 && time.Since(began) < 1500*time.Millisecond; time.Sleep(50 * time.Millisecond) {
		var text string
		text, err = command.output()
		list = tool.parse(text) // supervisorctl's exit code says that some process does not run
		i = slices.IndexFunc(list, func(one running) bool { return s.below(one.pid) })
		if i < 0 && !slices.ContainsFunc(list, func(one running) bool { return one.pid == 0 }) {
			break
		}
	}
	switch {
	case i < 0 && len(list) == 0 && err != nil:
		return found{}, false, errManual(fmt.Sprintf("%s (pid %d) runs it, and does not answer at the address that is known (%s)", tool.way(), up.PID, firstLine(err)), typed)
	case i < 0:
		return found{}, false, errManual(fmt.Sprintf("%s (pid %d) runs it, and the one that answers at the address that is known runs other processes", tool.way(), up.PID), typed)
	}
	f.name = list[i].name
	f.evidence = fmt.Sprintf("%s (pid %d) started it, and calls it %s", tool.way(), up.PID, f.name)
	f.keeper = keeperOf{words: fmt.Sprintf("%s (pid %d)", tool.way(), up.PID), process: up.Identity, list: command, parse: tool.parse, name: f.name}
	return f, true, nil
}

// way is the name of the supervisor's row.
func (tool supervisor) way() string {
	if tool.program == "supervisorctl" {
		return WaySupervisord
	}
	return tool.program
}

// find looks for the client: on PATH, on the PATH that the server has, where
// that is the same account's, or the supervisor's own program.
func (tool supervisor) find(s Subject, up Parent, a account) (string, error) {
	program, err := exec.LookPath(tool.program)
	if err == nil {
		return program, nil
	}
	if s.UID == up.UID && !a.switched {
		for _, dir := range filepath.SplitList(s.variable("PATH")) {
			if file := filepath.Join(dir, tool.program); filepath.IsAbs(dir) && exists(file) {
				return file, nil
			}
		}
		if programName(up.Exe) == tool.program {
			return up.Exe, nil
		}
	}
	return "", err
}

// composeClient is the address of a process-compose: its command line goes
// before its environment, which its processes inherit, and the defaults are
// last (https://f1bonacc1.github.io/process-compose/client).
func composeClient(s Subject, up Parent) (args []string, dir string, env []string) {
	socket := option(up.Args, "-u", "--unix-socket")
	port := option(up.Args, "-p", "--port")
	switch {
	case socket != "":
	case port != "":
	case slices.Contains(up.Args, "-U") || slices.Contains(up.Args, "--use-uds"):
		if socket = s.variable("PC_SOCKET_PATH"); socket == "" {
			socket = fmt.Sprintf("/tmp/process-compose-%d.sock", up.PID)
		}
	case s.variable("PC_SOCKET_PATH") != "":
		socket = s.variable("PC_SOCKET_PATH")
	case s.variable("PC_PORT_NUM") != "":
		port = s.variable("PC_PORT_NUM")
	default:
		port = "8080"
	}
	if token := s.variable("PC_API_TOKEN_PATH"); token != "" {
		env = append(env, "PC_API_TOKEN_PATH="+absolute(up.Dir, token))
	}
	if socket != "" {
		return []string{"-u", absolute(up.Dir, socket)}, up.Dir, env
	}
	return []string{"-p", port}, up.Dir, env
}

// parseSupervisorStatus reads `pg  RUNNING  pid 123, uptime 0:00:05`.
func parseSupervisorStatus(text string) []running {
	var list []running
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "pid"); i >= 2 && i+1 < len(fields) {
			if pid, err := strconv.Atoi(strings.TrimSuffix(fields[i+1], ",")); err == nil {
				list = append(list, running{name: fields[0], pid: pid})
			}
		} else if len(fields) >= 2 && fields[1] == strings.ToUpper(fields[1]) {
			list = append(list, running{name: fields[0], pid: 0})
		}
	}
	return list
}

// parseComposeList reads what `process list -o json` prints.
func parseComposeList(text string) []running {
	var states []struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
	}
	if json.Unmarshal([]byte(text), &states) != nil {
		return nil
	}
	var list []running
	for _, s := range states {
		list = append(list, running{name: s.Name, pid: s.PID})
	}
	return list
}

// parseOvermindList reads the table PROCESS, PID, STATUS.
func parseOvermindList(text string) []running {
	var list []running
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= 3 {
			if pid, err := strconv.Atoi(fields[1]); err == nil {
				list = append(list, running{name: fields[0], pid: pid})
			}
		}
	}
	return list
}

// parsePM2List takes the number for the name: names may be given twice.
func parsePM2List(text string) []running {
	var states []struct {
		PID int `json:"pid"`
		ID  int `json:"pm_id"`
	}
	// The client may greet first.
	if i := strings.Index(text, "[{"); i < 0 || json.Unmarshal([]byte(text[i:]), &states) != nil {
		return nil
	}
	var list []running
	for _, s := range states {
		list = append(list, running{name: strconv.Itoa(s.ID), pid: s.PID})
	}
	return list
}

// option is the value of an option on a command line: `-p 1`, `-p1`, `-p=1`,
// `--port 1`, `--port=1`.
func option(args []string, short, long string) string {
	for i, arg := range args {
		switch name, value, joined := strings.Cut(arg, "="); {
		case name != short && name != long && !(strings.HasPrefix(arg, short) && !strings.HasPrefix(arg, "--")):
		case joined && (name == short || name == long):
			return value
		case name == short || name == long:
			if i+1 < len(args) {
				return args[i+1]
			}
		default:
			return strings.TrimPrefix(arg, short)
		}
	}
	return ""
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) || dir == "" {
		return path
	}
	return filepath.Join(dir, path)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return masked(line)
}
