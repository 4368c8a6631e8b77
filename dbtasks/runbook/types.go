package runbook

import (
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/checklist"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/scaffold"
)

// What reports are made of. The names without this package's prefix are
// internal; these are the ones to use.
type (
	// CheckReport is the whole prevention checklist: its items, the clients
	// that were found, and what could not be told.
	CheckReport = checklist.Report

	// Session is one session as the server sees it: pid, start, role,
	// database, client, state and since when.
	Session = pgops.Session
	// SessionID is what a session is known by: its pid and its start time.
	SessionID = pgops.SessionID
	// Judged is a session that is left alone, and why.
	Judged = pgops.Judged
	// Slots are the server's connection slots: max_connections, reserved, used.
	Slots = pgops.Slots
	// Sample is one count of the database's sessions.
	Sample = pgops.Sample
	// NamedLimit is the connection limit of one role or database.
	NamedLimit = pgops.NamedLimit
	// Timeout is one of the server's timeouts as it applies to our role.
	Timeout = pgops.Timeout

	// InitPlan is what dev:init writes, file by file.
	InitPlan = scaffold.Plan
	// UndoPlan is what dev:init -undo takes out, file by file.
	UndoPlan = scaffold.Undo
)
