package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
)

// unit is a systemd service, told from a control group.
type unit struct {
	name string
	user string // the uid whose own manager has it; "": the system's
}

// unitOf reads the innermost unit of a cgroup. A terminal's and an
// application's scope are none, and what lies below a container's is not this
// machine's systemd's.
func unitOf(cgroup string) (unit, bool) {
	for _, p := range cgroupPaths(cgroup) {
		name := path.Base(p)
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		var owner string
		for _, part := range strings.Split(path.Dir(p), "/") {
			if uid, found := strings.CutPrefix(part, "user@"); found {
				owner = strings.TrimSuffix(uid, ".service")
			}
		}
		if strings.HasPrefix(name, "user@") {
			continue
		}
		return unit{name, owner}, true
	}
	return unit{}, false
}

// toldSystemd tells the unit by its cgroup and by its main process, which is
// the server or a wrapper around it. The cgroup alone does not do: a server
// started in an editor's terminal lies in the editor's unit.
func toldSystemd(s Subject) (found, bool, error) {
	u, ok := unitOf(s.Cgroup)
	if !ok || !startedByUnit(s) {
		return found{}, false, nil
	}
	client, env, err := u.client()
	typed := u.typed()
	if err != nil {
		return found{}, false, errManual(err.Error(), typed)
	}
	show := Command{Argv: append(slices.Clone(client), "show", "-p", "MainPID", "-p", "ActiveState", "-p", "ExecStart", u.name), Env: env}
	text, err := show.output()
	if err != nil {
		return found{}, false, errManual(fmt.Sprintf("its systemd unit %s can't be asked (%s)", u.name, firstLine(err)), typed)
	}
	state := parseShow(text)
	if !u.runs(s, state) {
		return found{}, false, nil
	}
	f := found{client: client, env: env, name: u.name, evidence: fmt.Sprintf("its cgroup is %s's, whose main process it is", u.name)}
	if main, _ := strconv.Atoi(state["MainPID"]); main != s.PID {
		f.evidence = fmt.Sprintf("its cgroup is %s's, whose main process (pid %d) started it", u.name, main)
	}
	f.log = serverLog(s)
	f.keeper = keeperOf{words: "systemd (" + u.name + ")", list: show, parse: func(text string) []running { return parseUnit(u.name, text) }, name: u.name}
	if u.user != "" || os.Geteuid() == 0 {
		f.typed = typed
		return f, true, nil
	}
	// The long name first; people write both into sudoers.
	for _, name := range []string{u.name, strings.TrimSuffix(u.name, ".service")} {
		answer := sudoMay([]string{"systemctl", "restart", name})
		if answer.may {
			f.client, f.name, f.typed = []string{"sudo", "-n", "systemctl"}, name, typed
			return f, true, nil
		}
		if err == nil {
			err = answer.manual("its systemd unit "+u.name+" is root's", "systemctl", "restart", u.name)
		}
	}
	return found{}, false, err
}

// startedByUnit tells whether systemd is the server's parent, or a wrapper's
// that started it: no terminal and no other program lies between.
func startedByUnit(s Subject) bool {
	for _, up := range s.Parents {
		if up.PID == 1 || up.systemd() {
			return true
		}
		if up.typedIn() || !up.carries() {
			return false
		}
	}
	return true
}

// runs tells whether the unit is the server's, by `systemctl show`.
func (u unit) runs(s Subject, state map[string]string) bool {
	main, _ := strconv.Atoi(state["MainPID"])
	if main > 1 && s.below(main) {
		return true
	}
	// What started it has ended (pg_ctl in a wrapper script), or is not above it.
	start := state["ExecStart"]
	for _, word := range []string{"postgres", "pg_ctl", "postmaster"} {
		if strings.Contains(start, word) {
			return true
		}
	}
	if s.DataDir != "" && strings.Contains(start, s.DataDir) {
		return true
	}
	wrapper, err := SubjectOf(main)
	_ = err // that it is no postmaster
	return main > 1 && wrapper.PID == main && Parent{Process: wrapper.Process}.carries()
}

// client is systemctl for the unit's manager. A user's own is reached through
// XDG_RUNTIME_DIR, which a shell of su or sudo does not have; root reaches it
// by the user's name.
func (u unit) client() (argv, env []string, err error) {
	if u.user == "" {
		return []string{"systemctl"}, nil, nil
	}
	uid, _ := strconv.Atoi(u.user)
	switch {
	case uid == os.Geteuid():
		if os.Getenv("XDG_RUNTIME_DIR") == "" {
			env = append(os.Environ(), "XDG_RUNTIME_DIR=/run/user/"+u.user)
		}
		return []string{"systemctl", "--user"}, env, nil
	case os.Geteuid() == 0:
		return []string{"systemctl", "--user", "-M", u.owner() + "@"}, nil, nil
	}
	return nil, nil, fmt.Errorf("it is a unit of %s's own systemd (%s)", u.owner(), u.name)
}

func (u unit) owner() string {
	if who, err := user.LookupId(u.user); err == nil {
		return who.Username
	}
	return u.user
}

func (u unit) typed() string {
	uid, _ := strconv.Atoi(u.user)
	switch {
	case u.user == "" && os.Geteuid() == 0:
		return shellLine([]string{"systemctl", "restart", u.name})
	case u.user == "":
		return shellLine([]string{"sudo", "systemctl", "restart", u.name})
	case uid == os.Geteuid() && os.Getenv("XDG_RUNTIME_DIR") == "":
		return "XDG_RUNTIME_DIR=/run/user/" + u.user + " " + shellLine([]string{"systemctl", "--user", "restart", u.name})
	case uid == os.Geteuid():
		return shellLine([]string{"systemctl", "--user", "restart", u.name})
	case os.Geteuid() == 0:
		return shellLine([]string{"systemctl", "--user", "-M", u.owner() + "@", "restart", u.name})
	}
	return shellLine([]string{"sudo", "systemctl", "--user", "-M", u.owner() + "@", "restart", u.name})
}

func parseShow(text string) map[string]string {
	state := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		state[name] = value
	}
	return state
}

// parseUnit is the unit as one line of a list; its pid is 0 while it is not
// active.
func parseUnit(name, text string) []running {
	state := parseShow(text)
	pid, _ := strconv.Atoi(state["MainPID"])
	if state["ActiveState"] != "active" {
		return []running{{name: name}}
	}
	if pid == 0 {
		pid = -1 // active, and which process is its main one is not known
	}
	return []running{{name: name, pid: pid}}
}

// output runs a command that only tells something. Its error has what the
// command said.
func (c Command) output() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr, cmd.WaitDelay = c.Dir, c.Env, c.account.attr(), askTimeout
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = errors.New(lastLines(string(exit.Stderr), 1))
	}
	return string(out), err
}

// ask runs a program that only tells something.
func ask(name string, args ...string) (string, error) {
	return Command{Argv: append([]string{name}, args...)}.output()
}
