package pgserver

import (
	"errors"
	"fmt"
)

var (
	// ErrNoBinaries: there is no usable PostgreSQL on this machine, and none was
	// or could be installed. The message names the ways to get one.
	ErrNoBinaries = errors.New("no PostgreSQL found on this machine")

	// ErrNotReadable: the data directory belongs to another user, who alone (and
	// root) may look into it.
	ErrNotReadable = errors.New("the data directory is not readable for this user")

	// ErrNoPostmaster: the process is not the postmaster of any data directory
	// that can be told from it.
	ErrNoPostmaster = errors.New("not a postmaster with a data directory")

	// ErrNoRestart: no way is known to restart this server from here.
	ErrNoRestart = errors.New("no way is known to restart this PostgreSQL")

	// ErrRestartFailed: the restart was begun and did not succeed.
	ErrRestartFailed = errors.New("restart failed")

	// ErrServerChanged: the server is another one than when the plan was made.
	ErrServerChanged = errors.New("the server was stopped or restarted in the meantime")
)

// ManualRestart is an ErrNoRestart where it is known what a person can type.
type ManualRestart struct {
	Why     string
	Command string
	// Who has to type it where this user may not: "root", another account's
	// name; "": this user, who may be asked for a password.
	Who string
}

func (e *ManualRestart) Error() string { return fmt.Sprintf("%s: %s", ErrNoRestart, e.Why) }

// Unwrap is ErrNoRestart.
func (e *ManualRestart) Unwrap() error { return ErrNoRestart }
