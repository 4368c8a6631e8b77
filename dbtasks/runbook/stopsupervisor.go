package runbook

import (
	"fmt"
	"path"
	"strings"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/plain"
)

// supervisor is the command that stops a process of the plan where something
// above it, which is not this project's own, would start it again; "" where
// nothing does. A watcher of the project's own (nodemon, nest start --watch,
// turbo) is in the plan itself.
func (p *planner) supervisor(proc hostops.Process) string {
	child, up := p.top(proc)
	switch {
	case strings.HasPrefix(up.Title(), "PM2 v"):
		return "pm2 stop " + plain.Word(pm2Name(child.PID))
	case up.Name == "supervisord":
		return "supervisorctl stop all   (or the one program that it is)"
	}
	return ""
}

// broughtBack is supervisor for what was stopped and runs again.
func (p *planner) broughtBack(proc hostops.Process) string {
	if by := p.supervisor(proc); by != "" {
		return by
	}
	child, up := p.top(proc)
	if up.Name == "systemd" {
		return unitOf(child)
	}
	return ""
}

// top is the uppermost process of the plan above a process, and who started it.
func (p *planner) top(proc hostops.Process) (child, up hostops.Process) {
	child = proc
	for _, up = range p.Table.Ancestors(proc.PID) {
		if _, planned := p.why[up.PID]; !planned {
			return child, p.Process(up.PID)
		}
		child = up
	}
	return child, hostops.Process{}
}

// pm2Name is the name that pm2 has for a process, which it tells it in its
// environment, as it does the number.
func pm2Name(pid int) string {
	env := hostops.Variables(pid, "name", "pm_id")
	if env["name"] != "" {
		return env["name"]
	}
	if env["pm_id"] != "" {
		return env["pm_id"]
	}
	return "all"
}

// unitOf is the command that stops the systemd unit of a user's own that runs a
// process as its service; "" where none does.
func unitOf(proc hostops.Process) string {
	group := hostops.ControlGroup(proc.PID)
	unit := path.Base(group)
	if !strings.HasSuffix(unit, ".service") || strings.HasPrefix(unit, "user@") || !strings.Contains(group, "/user@") {
		return ""
	}
	return fmt.Sprintf("systemctl --user stop %s", plain.Word(unit))
}
