package pgserver

import (
	"fmt"
	"slices"
	"strings"
)

// planService restarts a Windows service: pg_ctl is the service's program, and
// the server's parent, as `pg_ctl runservice -N NAME -D DATA`
// (https://www.postgresql.org/docs/current/app-pg-ctl.html).
func planService(_ Postmaster, s surroundings) (Restart, bool, error) {
	for _, up := range s.parents {
		if len(up.args) == 0 || programName(up.args[0]) != "pg_ctl" {
			continue
		}
		i := slices.Index(up.args, "-N")
		if i < 0 || i+1 >= len(up.args) || !slices.Contains(up.args, "runservice") {
			continue
		}
		name := up.args[i+1]
		script := "Restart-Service -Force -ErrorAction Stop -Name '" + strings.ReplaceAll(name, "'", "''") + "'"
		r := planProgram(RestartByService, []string{"powershell", "-NoProfile", "-NonInteractive", "-Command", script}, fmt.Sprintf("its parent is pg_ctl runservice -N %s", name))
		r.typed = fmt.Sprintf(`net stop %q && net start %[1]q (as an administrator)`, name)
		return r, true, nil
	}
	return Restart{}, false, nil
}
