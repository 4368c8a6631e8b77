package pgserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// pgCtlTimeout is how long pg_ctl waits for the shutdown, and again for the
// start, in seconds; a server that replays its log may need it.
const pgCtlTimeout = 30

// planPgCtl restarts in fast mode: smart waits for idle clients for ever,
// immediate loses the clean shutdown. pg_ctl takes the options that the server
// was started with from postmaster.opts
// (https://www.postgresql.org/docs/current/app-pg-ctl.html).
func planPgCtl(pm Postmaster, s surroundings) (Restart, bool, error) {
	if pm.Bin == "" || pm.DataDir == "" {
		return Restart{}, false, nil
	}
	owner, err := ownerOf(pm.DataDir)
	if err != nil {
		return Restart{}, false, fmt.Errorf("%w: %w", ErrNoRestart, err)
	}
	if !owner.usable() {
		return Restart{}, false, fmt.Errorf("%w: only %s, who runs the server, may (or root)", ErrNoRestart, owner.name)
	}
	dir, err := startFolder(pm.DataDir)
	if err != nil {
		return Restart{}, false, err
	}
	args := []string{program(pm.Bin, "pg_ctl"), "restart", "-D", pm.DataDir, "-m", "fast", "-w", "-s", "-t", strconv.Itoa(pgCtlTimeout), "-l", restartLog(pm)}
	line := strings.Join(args, " ")
	if os.Geteuid() == 0 {
		line = "as " + owner.name + ": " + line
	}
	evidence := "nothing supervises it"
	if strings.Contains(s.exe, "/Postgres.app/") {
		evidence = "its executable is Postgres.app's"
	}
	return Restart{
		Kind: RestartByPgCtl, Evidence: evidence, Log: restartLog(pm), line: line, limit: restartDeadline, finishes: true,
		ready: func() bool { return takesLogins(pm) },
		prepare: func() *exec.Cmd {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.SysProcAttr = owner.attr()
			setDetached(cmd)
			cmd.Dir = dir
			// The port may have come from the environment that it was started in.
			cmd.Env = serverEnviron("PGPORT=" + strconv.Itoa(pm.Port))
			return cmd
		},
	}, true, nil
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

// isDown: pg_ctl starts what does not run, by postmaster.opts as well.
func isDown(pm Postmaster) error {
	if file, err := readPIDFile(pm.DataDir); err == nil && worksIn(file.pid, pm.DataDir) {
		return fmt.Errorf("%w: process %d runs on %s", ErrServerChanged, file.pid, pm.DataDir)
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
