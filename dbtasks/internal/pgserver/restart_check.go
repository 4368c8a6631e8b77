package pgserver

import (
	"errors"
	"fmt"
	"path/filepath"
)

// ErrNotReady: a restart would stop the server and could not start it again.
// Nothing was stopped.
var ErrNotReady = errors.New("the server would not start again")

// leastRoom is the free space without which a server is not stopped: a
// shutdown writes a checkpoint, and a start may need a new segment of the log,
// of 16 MB.
const leastRoom = 16 << 20

// Check looks whether the server would start again: that it is the one that
// was planned for, that the disk has room, that its settings are read without
// an error. Rights and the supervisor's answer were looked at by PlanRestart.
// What this user may not look at is taken to be in order. ErrNotReady says
// what is wrong.
func (r Restart) Check() error {
	if r.Subject.PID == 0 {
		return nil
	}
	if err := r.Same(); err != nil {
		return err
	}
	if err := r.CheckDisk(); err != nil {
		return err
	}
	return r.checkSettings()
}

// CheckDisk is the part of Check that takes no time.
func (r Restart) CheckDisk() error {
	dir := r.Subject.DataDir
	if dir == "" || r.Subject.Container != nil {
		return nil
	}
	places := []string{dir, filepath.Join(dir, "pg_wal")}
	for _, place := range places {
		free, known := freeSpace(place)
		if known && free < leastRoom {
			return fmt.Errorf("%w: only %d MB are free where %s is, and it needs %d to start", ErrNotReady, free>>20, place, leastRoom>>20)
		}
	}
	return nil
}

// checkSettings has the server's own program read its settings, as the account
// that it runs as and with what it was started with. `postgres -C` starts
// nothing (https://www.postgresql.org/docs/current/app-postgres.html).
func (r Restart) checkSettings() error {
	s := r.Subject
	if s.Files == nil || s.Files.Bin == "" || len(s.Environ) == 0 {
		return nil
	}
	opts, err := readOpts(s.DataDir)
	if err != nil {
		return nil
	}
	postgres := program(s.Files.Bin, "postgres")
	a, err := s.trusts(postgres)
	if err != nil || !a.usable() {
		return nil
	}
	dir, err := startFolder(s.DataDir)
	if err != nil {
		return nil
	}
	c := Command{Argv: append(append([]string{postgres}, opts[1:]...), "-C", "data_directory"), Dir: dir, Env: restartEnviron(s), account: a}
	if _, err := c.output(); err != nil {
		return fmt.Errorf("%w: its settings are not in order: %w", ErrNotReady, err)
	}
	return nil
}
