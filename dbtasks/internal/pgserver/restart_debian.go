package pgserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// planCluster restarts a cluster of Debian's postgresql-common through its own
// wrapper, which keeps the settings in /etc apart from the data:
// pg_ctlcluster(1). It tells the cluster by the settings file on the server's
// command line, ROOT/VERSION/NAME/postgresql.conf.
func planCluster(pm Postmaster, s surroundings) (Restart, bool, error) {
	root := os.Getenv("PG_CLUSTER_CONF_ROOT")
	if root == "" {
		root = "/etc/postgresql"
	}
	file := settingsFile(s.args)
	version, name, ok := clusterOf(root, file)
	if !ok || pm.DataDir == "" {
		return Restart{}, false, nil
	}
	program, err := exec.LookPath("pg_ctlcluster")
	if err != nil {
		return Restart{}, false, nil
	}
	owner, err := ownerOf(pm.DataDir)
	if err != nil {
		return Restart{}, false, fmt.Errorf("%w: %w", ErrNoRestart, err)
	}
	argv := []string{program, version, name, "restart", "-m", "fast"}
	if !owner.usable() {
		return Restart{}, false, &ManualRestart{Why: "only " + owner.name + ", who runs the server, may (or root)", Command: "sudo " + strings.Join(argv, " ")}
	}
	r := planProgram(RestartByCluster, argv, "it was started with "+file)
	if os.Geteuid() == 0 {
		r.line = "as " + owner.name + ": " + r.line
		r.typed = strings.Join(argv, " ") // as root it changes to the owner by itself
	}
	r.Log = stderrFile(pm.PID)
	prepare := r.prepare
	r.prepare = func() *exec.Cmd {
		cmd := prepare()
		cmd.SysProcAttr = owner.attr()
		setDetached(cmd)
		cmd.Dir = pm.DataDir
		cmd.Env = serverEnviron("PG_CLUSTER_CONF_ROOT=" + root)
		return cmd
	}
	return r, true, nil
}

// settingsFile is the value of config_file on a postmaster's command line.
func settingsFile(args []string) string {
	for _, arg := range args {
		arg = strings.TrimPrefix(strings.TrimPrefix(arg, "-c"), "--")
		if file, found := strings.CutPrefix(strings.Replace(arg, "config-file=", "config_file=", 1), "config_file="); found {
			return file
		}
	}
	return ""
}

func clusterOf(root, file string) (version, name string, ok bool) {
	below, err := filepath.Rel(root, file)
	parts := strings.Split(filepath.ToSlash(below), "/")
	if err != nil || len(parts) != 3 || parts[2] != "postgresql.conf" || parts[0] == ".." {
		return "", "", false
	}
	return parts[0], parts[1], true
}
