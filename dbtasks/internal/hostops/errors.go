package hostops

import "errors"

// Why a signal was not sent, or a process not found.
var (
	ErrOtherProcess = errors.New("the pid belongs to another process by now")
	ErrNotMine      = errors.New("it is another user's process, or whose it is can't be told")
	ErrSelf         = errors.New("this tool runs under it")
	ErrPostgres     = errors.New("it is a PostgreSQL process")

	// ErrAmbiguous: several processes fit.
	ErrAmbiguous = errors.New("several processes fit")

	// ErrChanged: a backend is not any more what the plan says.
	ErrChanged = errors.New("it is not the same process, parent or title any more")
)

// errMalformed: a table of the system is not of the shape that its manual says.
var errMalformed = errors.New("malformed table of the system")
