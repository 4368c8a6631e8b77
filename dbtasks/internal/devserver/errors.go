package devserver

import (
	"errors"
	"fmt"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/jsproject"
)

// What a *SettingError comes of, and what Run can't do.
var (
	ErrNoScript   = errors.New("package.json has no such script")
	ErrNoPort     = errors.New("no port is free")
	ErrNotStarted = errors.New("the command did not start")
	ErrNoRoles    = errors.New("this program plays no roles: it must call reexec.Run first")
)

// SettingError is a project whose command can't be told, and what to write so
// that it can be.
type SettingError struct {
	Setting            string // DBTASKS_DEV_COMMAND or DBTASKS_TEST_COMMAND
	Dir                string // the project's root
	Script             string // "dev" or "test:run"
	Configured, Mended string // the setting's own value, whose script is missing, and the one that was meant; empty: it is not set
	Write              string // the line for .env
	Err                error  // jsproject.ErrNoPackage, jsproject.ErrBadPackage or ErrNoScript, wrapped or not
}

func (e *SettingError) Error() string {
	switch {
	case e.Configured != "":
		return fmt.Sprintf("%s is %q, and package.json in %s has no script %q; write instead: %s", e.Setting, e.Configured, e.Dir, e.Script, e.Write)
	case errors.Is(e.Err, ErrNoScript):
		return fmt.Sprintf("package.json in %s has no script %q and %s is not set; write into .env: %s", e.Dir, e.Script, e.Setting, e.Write)
	case errors.Is(e.Err, jsproject.ErrNoPackage):
		return fmt.Sprintf("there is no package.json in %s and %s is not set; write into .env: %s", e.Dir, e.Setting, e.Write)
	}
	return fmt.Sprintf("%v, and %s is not set; write into .env: %s", e.Err, e.Setting, e.Write)
}

func (e *SettingError) Unwrap() error { return e.Err }

// PortError is a list of ports of which none is free. It is ErrNoPort.
type PortError struct{ Ports []int }

func (e *PortError) Error() string {
	switch n := len(e.Ports); {
	case n == 0:
		return "there is no port to take"
	case n == 1:
		return fmt.Sprintf("port %d is taken", e.Ports[0])
	case e.Ports[n-1]-e.Ports[0] == n-1:
		return fmt.Sprintf("no port of %d-%d is free", e.Ports[0], e.Ports[n-1])
	default:
		return fmt.Sprintf("none of the %d ports from %d to %d that are set is free", n, e.Ports[0], e.Ports[n-1])
	}
}

func (e *PortError) Unwrap() error { return ErrNoPort }
