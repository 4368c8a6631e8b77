package pgserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// toldCluster tells a cluster of Debian's postgresql-common that runs outside
// systemd (WSL, a dev container): its own wrapper keeps the settings in /etc
// apart from the data, pg_ctlcluster(1). The cluster is the one whose settings
// file stands on the server's command line, ROOT/VERSION/NAME/postgresql.conf,
// which everybody may read.
func toldCluster(s Subject) (found, bool, error) {
	root := os.Getenv("PG_CLUSTER_CONF_ROOT")
	if root == "" {
		root = "/etc/postgresql"
	}
	file := settingsFile(s.Args)
	version, name, ok := clusterOf(root, file)
	if !ok || s.DataDir == "" {
		return found{}, false, nil
	}
	program, err := exec.LookPath("pg_ctlcluster")
	if err != nil {
		return found{}, false, nil
	}
	a, err := s.trusts(program)
	if err != nil {
		return found{}, false, err
	}
	f := found{client: []string{program}, name: name, words: map[string][]string{"VERSION": {version}}, account: a, evidence: "it was started with " + file + ", and nothing supervises it", log: serverLog(s)}
	if exists("/run/systemd/system") { // else it would restart a unit that does not run this server
		f.client = append(f.client, "--skip-systemctl-redirect")
	}
	argv := append(slices.Clone(f.client), version, name, "restart", "-m", "fast")
	f.typed = shellLine(argv) // as root it changes to the owner by itself
	if !a.usable() {
		answer := sudoMay(argv)
		if !answer.may {
			return found{}, false, answer.manual("only "+a.name+", who runs the server, may (or root)", argv...)
		}
		f.typed = sudoTyped(0, f.typed)
		f.account, f.client = account{}, append([]string{"sudo", "-n"}, f.client...)
		return f, true, nil
	}
	f.dir, f.env = s.DataDir, append(restartEnviron(s), "PG_CLUSTER_CONF_ROOT="+root)
	return f, true, nil
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
