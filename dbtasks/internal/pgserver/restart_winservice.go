package pgserver

import (
	"fmt"
	"slices"
	"strings"
)

// toldService tells a Windows service: pg_ctl is the service's program, and
// the server's parent, as `pg_ctl runservice -N NAME -D DATA`
// (https://www.postgresql.org/docs/current/app-pg-ctl.html).
func toldService(s Subject) (found, bool, error) {
	for _, up := range s.Parents {
		if len(up.Args) == 0 || programName(up.Args[0]) != "pg_ctl" {
			continue
		}
		i := slices.Index(up.Args, "-N")
		if i < 0 || i+1 >= len(up.Args) || !slices.Contains(up.Args, "runservice") {
			continue
		}
		name := up.Args[i+1]
		return found{
			client: []string{"powershell", "-NoProfile", "-NonInteractive", "-Command"}, name: strings.ReplaceAll(name, "'", "''"),
			evidence: fmt.Sprintf("its parent is pg_ctl runservice -N %s", name),
			typed:    fmt.Sprintf(`net stop %q && net start %[1]q (as an administrator)`, name),
		}, true, nil
	}
	return found{}, false, nil
}
