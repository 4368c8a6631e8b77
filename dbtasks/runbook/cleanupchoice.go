package runbook

import (
	"fmt"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
)

// The states that -state takes, by the names of this tool's flags and JSON.
var endStates = map[string]pgops.State{"idle": pgops.StateIdle, "idle_in_transaction": pgops.StateIdleInTx, "active": pgops.StateActive}

// exact tells whether exactly these sessions are asked for: then no other is
// ended to get in, and a slot that is still missing afterwards is no failure.
func (o CleanupOptions) exact() bool {
	return o.PID != 0 || o.Cancel || o.State != "" && o.State != "idle"
}

// check refuses what can't be meant.
func (o CleanupOptions) check(rb *Runbook) error {
	usage := func(message, instead string) error {
		return &Failure{Exit: ExitSettings, Code: "usage", Message: message + "; nothing was touched.", Next: rb.Command("db:cleanup " + instead)}
	}
	_, known := endStates[o.State]
	switch {
	case o.Idle < 0:
		return usage("-idle wants a duration that is not negative", "-idle=5m")
	case o.PID < 0:
		return usage(fmt.Sprintf("-pid wants the pid of a session, as db:who shows it, not %d", o.PID), "-pid=4242")
	case o.State != "" && !known:
		return usage(fmt.Sprintf("-state wants idle, idle_in_transaction or active, not %q", o.State), "-state=idle_in_transaction")
	case o.Cancel && o.State != "" && o.State != "active":
		return usage(fmt.Sprintf("-cancel ends a running statement, and a session in state %s runs none", o.State), "-cancel -state=active")
	}
	return nil
}

// endOptions is the choice for the statement that ends. A pid is a choice of
// its own: what is in use is spared where nobody has named it.
func (o CleanupOptions) endOptions(database string) pgops.EndOptions {
	end := pgops.EndOptions{Database: database, Force: o.Force || o.PID != 0, Idle: o.Idle, Only: o.Only, PID: o.PID, Cancel: o.Cancel, State: endStates[o.State]}
	if o.Cancel {
		end.State = pgops.StateActive
	}
	return end
}

// missed is the failure of a -pid that is no session of the database.
func (r *CleanupReport) missed(rb *Runbook, o CleanupOptions) error {
	if o.PID == 0 || r.Found > 0 {
		return nil
	}
	return &Failure{Exit: ExitNotDone, Code: "no_such_session", Next: rb.Command("db:who") + " lists the sessions and their pids",
		Message: fmt.Sprintf("There is no client session with pid %d in %s; nothing was touched.", o.PID, r.Target)}
}
