package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ErrNotReady: a restart would stop the server and could not start it again.
// Nothing was stopped.
var ErrNotReady = errors.New("the server would not start again")

// Without this much free space a server is not stopped: a shutdown and a start
// write a checkpoint and some small files. Where the next segment of the
// write-ahead log is not there yet, they may need that as well, 16 MB.
const (
	leastRoom   = 1 << 20
	segmentRoom = 17 << 20
)

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
	if missing := r.missingRoom(); missing != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, missing)
	}
	return nil
}

// missingRoom says where the disk is too full for a start.
func (r Restart) missingRoom() error {
	dir := r.Subject.DataDir
	if dir == "" || r.Subject.Container != nil {
		return nil
	}
	wal := filepath.Join(dir, "pg_wal")
	needs := map[string]int64{dir: leastRoom, wal: segmentRoom}
	if spareSegment(wal) {
		needs[wal] = leastRoom
	}
	for _, place := range []string{dir, wal} {
		if free, known := freeSpace(place); known && free < needs[place] {
			return fmt.Errorf("only %.1f MB are free where %s is, and it needs %d to start", float64(free)/(1<<20), place, needs[place]>>20)
		}
	}
	return nil
}

// spareSegment tells whether a segment of the write-ahead log is there behind
// the one that was written last: segments are made or recycled ahead, and their
// names are numbers in order. What can't be looked at is taken to be in order.
func spareSegment(wal string) bool {
	entries, err := os.ReadDir(wal)
	if err != nil {
		return true
	}
	var written time.Time
	current, last := "", ""
	for _, e := range entries { // by name
		if len(e.Name()) != 24 || e.IsDir() {
			continue
		}
		last = e.Name()
		if info, err := e.Info(); err == nil && info.ModTime().After(written) {
			current, written = e.Name(), info.ModTime()
		}
	}
	return last > current
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
