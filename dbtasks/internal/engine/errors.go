package engine

import "errors"

// Why an engine says nothing, or a container is not acted upon. They come with
// the program's own words.
var (
	// ErrDown: nothing answers at the engine's endpoint.
	ErrDown = errors.New("the container engine is not running")
	// ErrDenied: this user may not use the engine.
	ErrDenied = errors.New("this user may not use the container engine")
	// ErrRemote: the user's commands go to another machine.
	ErrRemote = errors.New("the container engine is another machine's")
	// ErrSilent: it did not answer in time.
	ErrSilent = errors.New("the container engine does not answer")

	// ErrGone: the engine has no container of this id any more.
	ErrGone = errors.New("the container is gone")
	// ErrChanged: it was stopped or started since it was looked at.
	ErrChanged = errors.New("the container was stopped or started in the meantime")
	// ErrNoServer: no PostgreSQL runs in the container, or more than one.
	ErrNoServer = errors.New("which process in the container is the server can't be told")
	// ErrNoIdle: no idle session was found to end.
	ErrNoIdle = errors.New("no idle session was found")
)

// errIsPodman: docker is Podman's program under another name.
var errIsPodman = errors.New("docker is podman")

// FailedError is a program in a container that ended with a failure, or one
// that the engine could not run there (Code 125 to 127).
type FailedError struct {
	Code  int
	Words string // what it said last, on one line
}

func (e *FailedError) Error() string { return e.Words }
