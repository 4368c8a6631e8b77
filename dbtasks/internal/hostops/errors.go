package hostops

import "errors"

// Why a signal was not sent, or a process not found.
var (
	ErrOtherProcess = errors.New("the pid belongs to another process by now")
	ErrNotMine      = errors.New("it is another user's process, or whose it is can't be told")
	ErrSelf         = errors.New("this tool runs under it")
	ErrPostgres     = errors.New("it is a PostgreSQL process")

	// ErrNoProcesses: not even this process is among those that the system lists.
	ErrNoProcesses = errors.New("the system does not tell which processes run (on Linux: is /proc mounted, and this process namespace's own?)")

	// ErrChanged: a backend is not any more what the plan says.
	ErrChanged = errors.New("it is not the same process, parent or title any more")
)

// errMalformed: a table of the system is not of the shape that its manual says.
var errMalformed = errors.New("malformed table of the system")
