//go:build linux

package faults

import (
	"os"
	"path/filepath"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// readOnlyFaults: what a target would do is said under DBTASKS_READONLY, and not
// done.
var readOnlyFaults = append(asBoth(
	fault{name: "cleanup", inject: switched(nil), args: "db:cleanup", exit: 3, says: "Would end 2 idle sessions", after: untouchedByAll},
	fault{name: "cleanup -force", inject: switched(nil), args: "db:cleanup -force", exit: 3, says: "DBTASKS_READONLY of the environment", after: untouchedByAll},
	fault{name: "cleanup, JSON", inject: switched(nil), args: "db:cleanup -json", exit: 3, says: `"error":"refused_readonly"`, after: untouchedByAll},
	fault{name: "a dry cleanup is none", inject: switched(nil), args: "db:cleanup -dry", says: "Would end 2 idle sessions", after: untouchedByAll},
	fault{name: "cleanup of a full server", inject: func(s *scene) {
		full(s)
		s.fillReserved()
		s.env["DBTASKS_READONLY"] = "1"
	}, act: whateverExit("db:cleanup"), says: "slot", after: func(s *scene) { s.held(17) }},
	fault{name: "stop", inject: switched(nil), args: "dev:stop", exit: 3, says: "Would stop 1 process", after: untouchedByAll},
	fault{name: "recover", inject: switched(nil), args: "dev:recover", exit: 3, says: "3. cleanup", after: untouchedByAll},
	fault{name: "start", inject: switched(map[string]string{"DBTASKS_DEV_COMMAND": "touch ran"}), args: "dev:start -replace", exit: 3, says: "would run: touch ran", after: untouchedByAll},
	fault{name: "test", inject: switched(map[string]string{"DBTASKS_TEST_COMMAND": "touch ran"}), args: "dev:test", exit: 3, says: "would run: touch ran", after: untouchedByAll},
	fault{name: "verify", inject: func(s *scene) { reloading("")(s); switched(nil)(s) }, args: "dev:verify", exit: 3, says: "each module that makes a database client", after: func(s *scene) { restored(s); untouchedByAll(s) }},
	fault{name: "init", inject: func(s *scene) { scaffold(s); s.db(); s.env["DBTASKS_READONLY"] = "1" }, args: "dev:init", exit: 3, says: "create", after: untouched},
	fault{name: "limits -raise", inject: func(s *scene) {
		s.own(pgserver.DisposableOptions{})
		switched(nil)(s)
		s.admin()
	}, act: whateverExit("db:limits -raise=40"), says: "", after: untouchedByAll},
	fault{name: "who looks all the same", inject: switched(nil), args: "db:who", says: "leak"},
),
	fault{name: "a value that is neither", inject: func(s *scene) { switched(map[string]string{"DBTASKS_READONLY": "maybe"})(s) }, args: "db:cleanup", exit: 2, says: "DBTASKS_READONLY", after: untouchedByAll},
	fault{name: "the drill has a server of its own", inject: switched(nil), args: "dev:drill", says: "Drill passed", after: untouchedByAll},
)

// switched is a project with two idle sessions, a dev server, and the switch.
func switched(more map[string]string) func(*scene) {
	return func(s *scene) {
		s.env["DBTASKS_READONLY"] = "1"
		for name, value := range more {
			s.env[name] = value
		}
		s.leak = s.db().Open(2, "leak")
		s.heir = s.devServer()
	}
}

func untouchedByAll(s *scene) {
	s.held(len(s.leak))
	if !s.heir.alive() {
		s.Error("the dev server was ended")
	}
	if _, err := os.Stat(filepath.Join(s.project, "ran")); err == nil {
		s.Error("the command ran")
	}
}
