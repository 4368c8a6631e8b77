package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
)

// unit is a systemd service, told from a control group.
type unit struct {
	name string
	user bool // of a user's own manager
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
		manager, below, user := strings.Cut(p, ".service/")
		user = user && strings.Contains(path.Base(manager), "user@")
		if user && below == "" || !user && strings.HasPrefix(name, "user@") {
			continue
		}
		return unit{name, user}, true
	}
	return unit{}, false
}

// planSystemd restarts the unit whose main process the server is. The cgroup
// alone does not do: a server started in an editor's terminal lies in the
// editor's unit.
func planSystemd(pm Postmaster, s surroundings) (Restart, bool, error) {
	u, ok := unitOf(s.cgroup)
	if !ok {
		return Restart{}, false, nil
	}
	scope := []string{}
	if u.user {
		scope = []string{"--user"}
	}
	shown, err := ask("systemctl", append(scope, "show", "-p", "MainPID", "--value", u.name)...)
	if err != nil || strings.TrimSpace(shown) != strconv.Itoa(pm.PID) {
		return Restart{}, false, nil
	}
	argv := append(append([]string{"systemctl"}, scope...), "restart", u.name)
	typed := strings.Join(argv, " ")
	if !u.user && os.Geteuid() != 0 {
		typed = "sudo " + typed
		if _, err := ask("sudo", append([]string{"-n", "-l"}, argv...)...); err != nil {
			return Restart{}, false, &ManualRestart{Why: "its systemd unit " + u.name + " is root's, and sudo wants a password", Command: typed}
		}
		argv = append([]string{"sudo", "-n"}, argv...)
	}
	r := planProgram(RestartBySystemd, argv, fmt.Sprintf("its cgroup is %s's, whose MainPID it is", u.name))
	r.typed = typed
	r.Log = strings.Join(append(append([]string{"journalctl"}, scope...), "-n", "50", "-u", u.name), " ")
	return r, true, nil
}

// ask runs a program that only tells something.
func ask(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = askTimeout
	out, err := cmd.Output()
	return string(out), err
}
