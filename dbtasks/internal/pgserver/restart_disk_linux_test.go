package pgserver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
)

// diskFills has somebody fill the disk of a server in the moment after it was
// stopped: for good, which is said with what brings the server back once there
// is room, and for a moment, after which it is up again.
func diskFills(t *testing.T, m *systemdtest.Machine) {
	disk := "/srv/disk"
	m.Run(t, "install", "-d", disk)
	m.Run(t, "mount", "-t", "tmpfs", "-o", "size=150m,mode=755", "none", disk)
	defer func() { _, _ = m.Try("umount", disk) }()
	data, bin := serverOnMachine(t, m, "postgres", "disk/data", 6150)
	fill, room := "cat /dev/zero >"+disk+"/fill 2>/dev/null || true", "rm -f "+disk+"/fill"
	stopped := fmt.Sprintf("cd /; runuser -u postgres -- %s/pg_ctl stop -m fast -w -s -D %s", bin, data)

	// Under systemd: the disk is full by the time that the unit has stopped.
	unit := "pg-disk.service"
	service := "[Service]\nType=notify\nUser=postgres\nExecStart=%s/postgres -D %s\nKillSignal=SIGINT\nExecStopPost=+/bin/sh -c '[ ! -e %s/armed ] || %s'\n"
	m.Put(t, "/etc/systemd/system/"+unit, fmt.Sprintf(service, bin, data, disk, fill), 0o644)
	m.Run(t, "systemctl", "daemon-reload")
	m.Run(t, "systemctl", "start", unit)
	m.Run(t, "touch", disk+"/armed")
	full := func(what, before string, out told) {
		t.Helper()
		if out.Checked != "" || out.State != pgserver.StateDown || !strings.Contains(out.Applied+out.Fatal, "No space left on device") && !strings.Contains(out.Applied, "MB are free") {
			t.Errorf("%s: %s", what, out)
		}
		m.Run(t, "sh", "-c", room+"; rm -f "+disk+"/armed")
		if said, err := m.Try("sh", "-c", "cd /; "+strings.Replace(out.Back, " (as postgres)", "", 1)); err != nil {
			t.Errorf("%s: what is said to bring it back: %s: %s, %v", what, out.Back, said, err)
		}
		if pidOf(t, m, data) == before {
			t.Errorf("%s: it was not stopped at all", what)
		}
	}
	before := pidOf(t, m, data)
	full("systemd", before, onMachine(t, m, "", "apply", before))
	if state, _ := unitState(m, unit); state != "active" {
		t.Errorf("the unit is %s", state)
	}
	m.Run(t, "systemctl", "stop", unit)

	// Run by nothing, restarted by a command of the user's.
	start := fmt.Sprintf("cd /; runuser -u postgres -- %s/pg_ctl start -w -s -D %s -l %s/log", bin, data, data)
	m.Run(t, "sh", "-c", start)
	before = pidOf(t, m, data)
	out := onMachine(t, m, "", "apply", before, stopped+"; "+fill+"; "+start)
	if out.Back = strings.TrimSuffix(out.Back, " (as postgres)"); !strings.HasPrefix(out.Back, "runuser") {
		out.Back = "runuser -u postgres -- " + out.Back
	}
	full("a command", before, out)

	// Full for a moment only: the command's own start fails, and the next does not.
	before = pidOf(t, m, data)
	out = onMachine(t, m, "", "apply", before, stopped+"; "+fill+"; "+start+"; failed=$?; "+room+"; exit $failed")
	if out.Applied != "" || !strings.Contains(out.Said, "brought back") || pidOf(t, m, data) == before {
		t.Errorf("full for a moment: %s", out)
	}
	m.Run(t, "sh", "-c", stopped)
}
