//go:build linux

package pgserver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// TestAFrozenDebianClusterIsRestartedByItsWrapper makes a cluster of its own,
// settings apart from the data, below a scratch PG_CLUSTER_CONF_ROOT.
func TestAFrozenDebianClusterIsRestartedByItsWrapper(t *testing.T) {
	for _, name := range []string{"pg_createcluster", "pg_ctlcluster", "runuser"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("Debian's postgresql-common is not here")
		}
	}
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if os.Geteuid() != 0 || len(versions) == 0 {
		t.Skip("needs root, who makes a cluster for postgres")
	}
	version := filepath.Base(filepath.Dir(filepath.Dir(versions[0])))
	dir, err := os.MkdirTemp("/tmp", "dbtasks-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("PG_CLUSTER_CONF_ROOT", filepath.Join(dir, "conf"))
	name := strings.ToLower(strings.ReplaceAll(filepath.Base(dir), "-", ""))
	asPostgres := func(command ...string) {
		t.Helper()
		args := append([]string{"-u", "postgres", "--", "env", "PG_CLUSTER_CONF_ROOT=" + dir + "/conf"}, command...)
		cmd := exec.Command("runuser", args...)
		cmd.Dir = "/"
		log, err := os.CreateTemp(t.TempDir(), "log") // a pipe would be the server's as well
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("%v: %v: %s", command, err, said)
		}
	}
	if out, err := exec.Command("chown", "postgres:", dir).CombinedOutput(); err != nil {
		t.Skipf("no account postgres: %s", out)
	}
	data := filepath.Join(dir, "data")
	asPostgres("pg_createcluster", version, name, "-d", data, "-s", dir, "-l", dir+"/log", "-p", strconv.Itoa(pgtest.FreePort(t)), "--start-conf=manual", "--", "--no-sync")
	asPostgres("pg_ctlcluster", version, name, "start")
	t.Cleanup(func() { asPostgres("pg_ctlcluster", version, name, "stop", "-m", "immediate") })

	before := clusterPostmaster(t, data)
	plan, err := pgserver.PlanRestart(subject(t, before.PID), "")
	if err != nil || plan.Way != pgserver.WayCluster || !strings.HasSuffix(plan.Describe(), "/pg_ctlcluster "+version+" "+name+" restart -m fast") || !strings.HasPrefix(plan.Describe(), "as postgres: ") {
		t.Fatalf("%v, %v", plan, err)
	}
	if err := syscall.Kill(before.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if clusterPostmaster(t, data).PID == before.PID {
			_ = syscall.Kill(before.PID, syscall.SIGCONT)
		}
	})
	if err := plan.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if after := clusterPostmaster(t, data); after.PID == before.PID || after.Port != before.Port {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// clusterPostmaster inspects the server of a data directory.
func clusterPostmaster(t *testing.T, data string) pgserver.Postmaster {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	pm, err := pgserver.Inspect(pid, "", nil, data)
	if err != nil {
		t.Fatal(err)
	}
	return pm
}
