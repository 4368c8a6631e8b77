package enginetest_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

const tmpfsMagic = 0x01021994 // statfs(2)

// waits is set where the test below is the one that is to be killed.
const waits = "DBTASKS_TEST_WAITS"

func TestNothingIsLeftOfAMachineWhoseTestsWereKilled(t *testing.T) {
	e := enginetest.Docker(t, enginetest.DockerOptions{}) // skips without an engine
	if os.Getenv(waits) != "" {
		c := e.Postgres(enginetest.PostgresOptions{})
		fmt.Println("machine", enginetest.Machine(), c.PID)
		time.Sleep(time.Hour)
	}
	// A machine on this machine, whose processes and control groups are seen here.
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "DBTASKS_TEST_MACHINE=", waits+"=1")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var machine string
	for lines := bufio.NewScanner(out); machine == "" && lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == "machine" {
			machine = words[1]
		}
	}
	groups := func() []string {
		found, _ := filepath.Glob("/sys/fs/cgroup/*/" + machine)
		more, _ := filepath.Glob("/sys/fs/cgroup/" + machine)
		return append(found, more...)
	}
	below := func() int {
		table, err := hostops.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range table.All() {
			environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
			cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
			if strings.Contains(string(environ), "="+machine+"\x00") || strings.Contains(string(cgroup), "/"+machine+"/") {
				n++
			}
		}
		return n
	}
	if machine == "" || len(groups()) == 0 || below() < 5 {
		t.Fatalf("machine %q: groups %v, %d processes", machine, groups(), below())
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, 10*time.Second, "its processes and control groups are gone", func() bool { return below() == 0 && len(groups()) == 0 })
}

func TestTheMachineHasNothingOfTheOneItRunsOn(t *testing.T) {
	enginetest.Docker(t, enginetest.DockerOptions{})
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if !slices.Contains([]string{"lo", "eth0", "docker0", "podman0", "shop0"}, i.Name) && !strings.HasPrefix(i.Name, "br-") && !strings.HasPrefix(i.Name, "veth") {
			t.Errorf("interface %s", i.Name)
		}
	}
	if _, err := hostops.Find(os.Getppid()); err != nil || os.Getppid() != 1 {
		t.Errorf("parent %d, %v", os.Getppid(), err)
	}
	for _, dir := range []string{"/dev/shm", "/run", "/var/lib/docker", "/var/lib/containers"} {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil || fs.Type != tmpfsMagic {
			t.Errorf("%s is of type %x, %v", dir, fs.Type, err)
		}
	}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "DOCKER_") || strings.HasPrefix(variable, "PG") {
			t.Error(variable)
		}
	}
}

func TestATestMayAskForTheDaemonTwiceWhileAnotherWaitsToHaveItAlone(t *testing.T) {
	t.Parallel()
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		enginetest.Docker(t, enginetest.DockerOptions{NoProxy: true}).Run("ps")
	})
	t.Run("shared", func(t *testing.T) {
		t.Parallel()
		for range 10 { // the other comes to its waiting meanwhile
			enginetest.Docker(t, enginetest.DockerOptions{}).Run("ps")
		}
	})
}
