package pgserver

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// pgCtlTimeout is how long pg_ctl waits for the shutdown, and again for the
// start, in seconds; a server that replays its log may need it.
const pgCtlTimeout = 30

// toldPgCtl fits every server that nothing supervises. It restarts in fast
// mode: smart waits for idle clients for ever, immediate loses the clean
// shutdown. pg_ctl takes the options that the server was started with from
// postmaster.opts (https://www.postgresql.org/docs/current/app-pg-ctl.html).
func toldPgCtl(s Subject) (found, bool, error) {
	if s.Files == nil && s.DataDir != "" && s.UID >= 0 && !accountOf(uint32(s.UID)).usable() {
		who := accountOf(uint32(s.UID)).name
		return found{}, false, errManual("only "+who+", who runs the server, may (or root)", sudoTyped(s.UID, shellLine([]string{"pg_ctl", "restart", "-m", "fast", "-D", s.DataDir})))
	}
	if s.Files == nil || s.Files.Bin == "" {
		return found{}, false, nil
	}
	pm := *s.Files
	pgCtl := program(pm.Bin, "pg_ctl")
	a, err := s.trusts(pgCtl)
	if err != nil {
		return found{}, false, err
	}
	if !a.usable() {
		return found{}, false, errManual("only "+a.name+", who runs the server, may (or root)", sudoTyped(s.UID, shellLine([]string{pgCtl, "restart", "-m", "fast", "-D", pm.DataDir})))
	}
	dir, err := startFolder(pm.DataDir)
	if err != nil {
		return found{}, false, err
	}
	f := found{evidence: "nothing supervises it", client: []string{pgCtl}, account: a, dir: dir, env: restartEnviron(s), log: restartLog(pm)}
	f.words = map[string][]string{"OPTIONS": {"-D", pm.DataDir, "-w", "-s", "-t", strconv.Itoa(pgCtlTimeout), "-l", f.log}}
	if a.switched {
		f.typed = "sudo -u " + shellWord(a.name) + " " + shellLine(append([]string{pgCtl, "restart", "-m", "fast"}, f.words["OPTIONS"]...))
	}
	switch {
	case strings.Contains(s.Exe, "/Postgres.app/"):
		f.evidence = "its executable is Postgres.app's"
	case len(s.Parents) > 0 && s.Parents[0].typedIn():
		f.evidence = fmt.Sprintf("somebody started it in the terminal %s", s.Parents[0].Terminal)
		f.notes = []string{fmt.Sprintf("It comes back in the background, not in the terminal %s; its messages go to %s.", s.Parents[0].Terminal, f.log)}
	}
	return f, true, nil
}

// takesLogins tells whether another postmaster took pm's place and is ready, by
// the line of postmaster.pid that pg_ctl waits for. pg_ctl itself looks ten
// times a second (WAITS_PER_SEC in src/bin/pg_ctl/pg_ctl.c): where a server
// needs 30 ms, it comes back after 100.
func takesLogins(pm Postmaster) bool {
	file, err := readPIDFile(pm.DataDir)
	return err == nil && file.pid != pm.PID && (file.status == "ready" || file.status == "standby") && worksIn(file.pid, pm.DataDir)
}

func stillThere(pm Postmaster) error {
	file, err := readPIDFile(pm.DataDir)
	if err != nil || file.pid != pm.PID || !file.started.Equal(pm.Started) {
		return fmt.Errorf("%w: %s is no longer process %d's", ErrServerChanged, pm.DataDir, pm.PID)
	}
	return nil
}

// startFolder is the folder to start from: pg_ctl repeats a relative -D as it
// was written, and from another folder the server would stop and not start.
func startFolder(dataDir string) (string, error) {
	opts, err := readOpts(dataDir)
	if err != nil {
		return "", fmt.Errorf("%w: read how it was started: %w", ErrNoRestart, err)
	}
	written := dataDirOption(opts[1:])
	if written == "" || filepath.IsAbs(written) {
		return dataDir, nil
	}
	for dir := dataDir; ; dir = filepath.Dir(dir) {
		if sameFile(filepath.Join(dir, written), dataDir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%w: it was started with the relative data directory %q, from a folder that is not known", ErrNoRestart, written)
		}
	}
}

// restartLog is the file that the server's messages go to: the one they go to
// now, else one in the data directory. Without one they would go to us.
func restartLog(pm Postmaster) string {
	if path := stderrFile(pm.PID); path != "" {
		return path
	}
	return filepath.Join(pm.DataDir, "dbtasks-restart.log")
}
