// Code generated from the targets' source by the test of this table. DO NOT EDIT.

package cli

// Targets are all targets of this module, by name.
var Targets = []Target{
	{Name: "db:cleanup", Synopsis: "ends the idle sessions of this database.", Help: "Cleanup ends the idle sessions of this database.  Exit 0: all that was to end is gone. Exit 1: something is left, and said. Exit 2: a setting or flag is wrong. Exit 3: the server is not proven to be this machine's.", Flags: []Flag{
		{Name: "force", Type: "bool", Help: "every client session of this database, not only idle ones"},
		{Name: "idle", Type: "time.Duration", Help: "only sessions that have been idle, or in the state of -state, at least this long"},
		{Name: "state", Type: "string", Help: "only sessions in this state: idle, idle_in_transaction or active"},
		{Name: "pid", Type: "int", Help: "only this session, whatever it does: a pid of db:who"},
		{Name: "cancel", Type: "bool", Help: "cancel running statements, and leave the sessions"},
		{Name: "dry", Type: "bool", Help: "say what would end and why; touch nothing"},
		{Name: "remote", Type: "string", Help: "the database's name: allow a server that is not this machine's, and end only this role's sessions"},
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
	}},
	{Name: "db:limits", Synopsis: "says how many sessions there may be, who wants how many, and what would help.", Help: "Limits says how many sessions there may be, who wants how many, and what would help.  It only looks. With -raise it sets max_connections and restarts the server, which ends all sessions of all its databases; when the server does not come back, that is undone.", Flags: []Flag{
		{Name: "raise", Type: "int", Help: "set max_connections to this many (ALTER SYSTEM, restart, verify)"},
		{Name: "timeout", Type: "time.Duration", Help: "end this role's sessions that are idle in this database for so long (ALTER ROLE; 0: take it back)"},
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
	}},
	{Name: "db:monitor", Synopsis: "watches the sessions of this database: a live screen on a terminal, a line a sample elsewhere.", Help: "Monitor watches the sessions of this database: a live screen on a terminal, a line a sample elsewhere.  It holds one session for the whole run and ends with -for, -once, q or Ctrl+C. The screen's keys are shown by \"?\". Exit 1 when the peak reached -warn, or when the server let nobody in.", Flags: []Flag{
		{Name: "every", Type: "time.Duration", Help: "between two samples (default 2s)"},
		{Name: "For", Type: "time.Duration", Help: "the whole run (default: until q or Ctrl+C)"},
		{Name: "once", Type: "bool", Help: "one table by application and state"},
		{Name: "warn", Type: "int", Help: "sessions at which the run fails (default DBTASKS_WARN, else 10; 0: never)"},
		{Name: "json", Type: "bool", Help: "NDJSON: one object a sample"},
		{Name: "svg", Type: "string", Help: "write the history as a picture into this file"},
	}},
	{Name: "db:test", Synopsis: "logs in afresh and says who, where, version, latency and slots, or why not.", Help: "Test logs in afresh and says who, where, version, latency and slots, or why not.  It logs in with DATABASE_URL as the application does, and with DIRECT_URL where that is set. Exit 0: it could log in. Exit 1: it could not; the cause and the next step are said. Exit 2: a setting is wrong.", Flags: []Flag{
		{Name: "wait", Type: "time.Duration", Help: "retry until it answers, at most this long (default: one try)"},
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
	}},
	{Name: "db:who", Synopsis: "says who holds the server's connections: which process of which project.", Help: "Who says who holds the server's connections: which process of which project.  It looks through a reserved slot when the ordinary ones are taken, and names the local processes by their sockets alone when there is none at all. It ends nothing.", Flags: []Flag{
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
	}},
	{Name: "dev:check", Synopsis: "goes through the prevention checklist over the project's own code and settings.", Help: "Check goes through the prevention checklist over the project's own code and settings.  It runs none of the code and changes nothing. Exit 0: nothing is wrong, and all could be told. Exit 1: something is wrong or can't be told; each with its place and the line to write instead.", Flags: []Flag{
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
	}},
	{Name: "dev:drill", Synopsis: "rehearses the emergency on a disposable PostgreSQL of its own, and leaves nothing behind.", Help: "Drill rehearses the emergency on a disposable PostgreSQL of its own, and leaves nothing behind.  It needs PostgreSQL's programs on this machine, or npm to fetch them; no .env and no running server.", Flags: []Flag{
		{Name: "slots", Type: "int", Help: "max_connections of the disposable server (default 20)"},
	}},
	{Name: "dev:init", Synopsis: "puts the solution into a JavaScript project.", Help: "Init puts the solution into a JavaScript project.  The runbook's magefile and wrappers, npm scripts, the pool limit in the form of the project's driver; for SvelteKit, Vite and Next.js with Prisma or node-postgres also a client module that survives hot reload, and the settings of Vite and Vitest. What exists is never overwritten: lines are added where that changes nothing else, and shown where it would. A second run has nothing to do. DBTASKS_SOURCE names your clone of this module where it can't be told.", Flags: []Flag{
		{Name: "dry", Type: "bool", Help: "print the plan; write nothing"},
		{Name: "undo", Type: "bool", Help: "take out what it has put in, and nothing else"},
	}},
	{Name: "dev:recover", Synopsis: "runs the emergency procedure: stop, restart PostgreSQL if needed, cleanup -force, test, start.", Help: "Recover runs the emergency procedure: stop, restart PostgreSQL if needed, cleanup -force, test, start.  The plan is printed, then each step with its time; it stops at the first that fails and says what is done, what is not, and the one next command.", Flags: []Flag{
		{Name: "restart", Type: "string", Help: "auto, always or never (default auto: only when nobody is let in even then)"},
		{Name: "start", Type: "bool", Help: "run the dev server at the end (default true)"},
		{Name: "dry", Type: "bool", Help: "print the plan; touch nothing"},
		{Name: "remote", Type: "string", Help: "the database's name: allow a server that is not this machine's; it is never restarted"},
	}},
	{Name: "dev:start", Synopsis: "cleans up, checks, takes the first free port and runs the dev server.", Help: "Start cleans up, checks, takes the first free port and runs the dev server.  It ends with the dev server and gives its exit code; Ctrl+C, TERM, HUP, a closed terminal and the death of mage each end the whole tree of the dev server.", Flags: []Flag{
		{Name: "port", Type: "int", Help: "instead of the first free one of DBTASKS_PORTS"},
		{Name: "command", Type: "string", Help: "instead of DBTASKS_DEV_COMMAND or the package manager's \"run dev\""},
		{Name: "guard", Type: "int", Help: "sessions of this database at which to warn once (default DBTASKS_WARN, else 10; 0: never)"},
		{Name: "replace", Type: "bool", Help: "stop this project's own stale server first"},
	}},
	{Name: "dev:stop", Synopsis: "stops this project's dev servers and what of this project listens on the dev ports.", Help: "Stop stops this project's dev servers and what of this project listens on the dev ports.  Never another project's, another user's, an editor, a browser, a forwarder or PostgreSQL. Exit 0: all are gone, or there was none. Exit 1: something is left, and said.", Flags: []Flag{
		{Name: "all", Type: "bool", Help: "also this user's other node and vite listeners on the dev ports"},
		{Name: "dry", Type: "bool", Help: "say what would be stopped; touch nothing"},
		{Name: "grace", Type: "time.Duration", Help: "between TERM and KILL (default 5s)"},
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
	}},
	{Name: "dev:test", Synopsis: "cleans up, runs the project's tests and says what sessions they left behind.", Help: "Test cleans up, runs the project's tests and says what sessions they left behind.  Its exit code is that of DBTASKS_TEST_COMMAND, or of the package manager's \"run test:run\".", Flags: []Flag{}},
	{Name: "dev:verify", Synopsis: "proves whether hot reload leaks: runs the dev server, reloads, counts.", Help: "Verify proves whether hot reload leaks: runs the dev server, reloads, counts.  The modules that make the database client are changed for a moment so that the dev server evaluates them again; they are as they were afterwards, whatever ends the run. Exit 0: reloads leave nothing behind. Exit 1: they do, or nothing could be proven.", Flags: []Flag{
		{Name: "reloads", Type: "int", Help: "how often the client module is evaluated again (default 10)"},
		{Name: "url", Type: "string", Help: "a page of a dev server that runs already, or a path (default: start one, ask for /)"},
		{Name: "max", Type: "int", Help: "the proof ends at so many sessions above the base line (default 10)"},
		{Name: "json", Type: "bool", Help: "one JSON object on standard output"},
		{Name: "svg", Type: "string", Help: "write the counts as a picture into this file"},
	}},
}
