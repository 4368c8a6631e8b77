//go:build linux

package faults

import "strings"

// settingFaults: what a role or a database is set to, for the
// application's sake or against ours, changes nothing of what the tool reads.
var settingFaults = []fault{
	{name: "DateStyle German", inject: roleSet("DateStyle = 'German, DMY'"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "DateStyle SQL", inject: databaseSet("DateStyle = 'SQL, DMY'"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "DateStyle Postgres: who", inject: roleSet("DateStyle = 'Postgres, MDY'"), args: "db:who", says: "leak"},
	{name: "DateStyle German on a full server", inject: func(s *scene) {
		full(s)
		s.alter("ALTER DATABASE %s SET DateStyle = 'German, DMY'", s.db().Name)
		s.admin()
	}, args: "db:cleanup", says: "Ended 17 idle sessions", after: freed},
	{name: "IntervalStyle sql_standard", inject: roleSet("IntervalStyle = 'sql_standard'"), args: "db:cleanup -idle=0s", says: "Ended 2 idle sessions", after: freed},
	{name: "TimeZone Asia/Kathmandu", inject: databaseSet("TimeZone = 'Asia/Kathmandu'"), args: "db:monitor -once", says: "2 sessions"},
	{name: "statement_timeout of 1 ms", inject: roleSet("statement_timeout = '1ms'"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "lock_timeout of 1 ms", inject: databaseSet("lock_timeout = '1ms'"), args: "db:limits", says: "max_connections"},
	{name: "default_transaction_read_only", inject: roleSet("default_transaction_read_only = on"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "default_transaction_isolation serializable, deferrable", inject: func(s *scene) {
		roleSet("default_transaction_isolation = serializable")(s)
		s.alter("ALTER ROLE %s SET default_transaction_deferrable = on", s.db().Role)
	}, args: "db:who", says: "leak"},
	{name: "search_path empty", inject: roleSet("search_path = ''"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "standard_conforming_strings off", inject: databaseSet("standard_conforming_strings = off"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "client_min_messages debug5", inject: roleSet("client_min_messages = debug5"), args: "db:limits -json", says: "max_connections"},
	{name: "extra_float_digits -15", inject: databaseSet("extra_float_digits = '-15'"), args: "db:who -json", says: "leak"},
	{name: "bytea_output escape", inject: databaseSet("bytea_output = 'escape'"), args: "db:test", says: "OK: logged in"},
	{name: "idle_session_timeout below the monitor's interval", inject: roleSet("idle_session_timeout = '200ms'"), args: "db:monitor -every=500ms -for=2s -json", says: `"sessions":2`, after: neverLost},
	{name: "idle_in_transaction_session_timeout of 1 ms", inject: roleSet("idle_in_transaction_session_timeout = '1ms'"), args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
	{name: "a role of its own by SET role", inject: func(s *scene) {
		s.leak = s.db().Open(2, "leak")
		s.server.Exec("CREATE ROLE reader_" + s.db().Role + " NOLOGIN; GRANT reader_" + s.db().Role + " TO " + s.db().Role)
		s.alter("ALTER ROLE %s SET role = 'reader_"+s.db().Role+"'", s.db().Role)
	}, args: "db:cleanup", says: "Ended 2 idle sessions", after: freed},
}

// neverLost: the monitor's session was not ended between two samples, so that
// the last one is no failure.
func neverLost(s *scene) {
	o := s.run("db:monitor", "-every=500ms", "-for=2s", "-json")
	if strings.Contains(o.stdout, "session_lost") || strings.Count(o.stdout, "\n") < 3 {
		s.Errorf("%s", o)
	}
}

// roleSet sets something for the logins of the scene's role, beside two sessions
// that logged in before.
func roleSet(what string) func(*scene) {
	return func(s *scene) {
		s.leak = s.db().Open(2, "leak")
		s.alter("ALTER ROLE %s SET "+what, s.db().Role)
	}
}

// databaseSet sets it for the logins to the scene's database.
func databaseSet(what string) func(*scene) {
	return func(s *scene) {
		s.leak = s.db().Open(2, "leak")
		s.alter("ALTER DATABASE %s SET "+what, s.db().Name)
	}
}
