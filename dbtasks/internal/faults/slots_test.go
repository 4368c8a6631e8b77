//go:build linux

package faults

import (
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// slotFaults: out of slots, in each of the ways that PostgreSQL has.
var slotFaults = []fault{
	{name: "ordinary slots taken", inject: full, args: "db:test", exit: 1, says: "only the reserved ones are left"},
	{name: "ordinary slots taken, an admin's login", inject: func(s *scene) { full(s); s.admin() }, args: "db:cleanup", says: "Ended 17 idle sessions", after: freed},
	{name: "every slot taken", inject: func(s *scene) { full(s); s.fillReserved() }, args: "db:test", exit: 1, says: "the reserved ones too"},
	{name: "every slot taken, no admin's login", inject: func(s *scene) { full(s); s.fillReserved() }, args: "db:cleanup", says: "Ended 17 idle sessions", after: freed},
	{name: "every slot taken: who", inject: func(s *scene) { full(s); s.fillReserved() }, args: "db:who", says: "No slot is left"},
	{name: "every slot taken: a dry run ends none", inject: func(s *scene) { full(s); s.fillReserved() }, args: "db:cleanup -dry", says: "", exit: 0, after: func(s *scene) { s.held(17) }},
	{name: "every slot taken, none idle", inject: busy, args: "db:cleanup", exit: 1, says: "the reserved ones too", after: func(s *scene) { s.held(17) }},
	{name: "role limit", inject: func(s *scene) { s.limit("ALTER ROLE %s CONNECTION LIMIT 6", s.db().Role) }, args: "db:test", exit: 1, says: "has reached its own connection limit"},
	{name: "role limit, cleaned up", inject: func(s *scene) { s.limit("ALTER ROLE %s CONNECTION LIMIT 6", s.db().Role); s.admin() }, args: "db:cleanup", says: "Ended 6 idle sessions"},
	{name: "database limit", inject: func(s *scene) { s.limit("ALTER DATABASE %s CONNECTION LIMIT 6", s.db().Name) }, args: "db:test", exit: 1, says: "has reached its own connection limit"},
	{name: "database limit, cleaned up", inject: func(s *scene) { s.limit("ALTER DATABASE %s CONNECTION LIMIT 6", s.db().Name); s.admin() }, args: "db:cleanup", says: "Ended 6 idle sessions"},
	{name: "pool limit above the server's slots", inject: func(s *scene) { s.env["DATABASE_URL"] = s.db().URL("connection_limit=1000") }, args: "db:cleanup -force", exit: 2, says: "connection_limit"},
	{name: "full of another database's sessions", inject: func(s *scene) {
		s.own(pgserver.DisposableOptions{})
		s.server.NewDatabase().Fill("elsewhere")
		s.admin()
	}, args: "db:cleanup", exit: 1, says: "no slot is free"},
	{name: "full during recovery", inject: func(s *scene) { full(s); s.admin() }, args: "dev:recover", says: "17 of 17 sessions ended"},
}

// full is a server of the scene's own without an ordinary slot left.
func full(s *scene) {
	s.own(pgserver.DisposableOptions{MaxConnections: 21}) // one is the bystander's
	var err error
	if s.leak, err = s.db().Fill("leak"); len(s.leak) != 17 {
		s.Fatalf("%d sessions, then %v", len(s.leak), err)
	}
}

// held checks that n sessions of the leak still answer.
func (s *scene) held(n int) {
	s.Helper()
	s.answer(s.leak)
	if len(s.leak) != n {
		s.Errorf("%d sessions of the leak, want %d", len(s.leak), n)
	}
}

// freed checks that none of them does.
func freed(s *scene) {
	for _, c := range s.leak {
		if c.Ping(s.Context()) == nil {
			s.Error("a session of the leak still answers")
		}
	}
}

// busy is one without any slot, where no session may be ended without force.
func busy(s *scene) {
	full(s)
	s.fillReserved()
	for _, c := range s.leak {
		if _, err := c.Exec(s.Context(), "BEGIN"); err != nil {
			s.Fatal(err)
		}
	}
}

// admin sets the login that may use the reserved slots.
func (s *scene) admin() { s.env["DBTASKS_ADMIN_URL"] = s.server.AdminURL("postgres") }

// fillReserved takes the slots that are kept back for superusers.
func (s *scene) fillReserved() {
	s.Helper()
	for range 3 {
		pgtest.Connect(s.T, s.server.AdminURL("postgres")+"?application_name=reserved")
	}
}

// limit sets a limit of 6 and reaches it.
func (s *scene) limit(statement, name string) {
	s.alter(statement, name)
	if held, err := s.db().Fill("leak"); len(held) != 6 {
		s.Fatalf("%d sessions, then %v", len(held), err)
	}
}
