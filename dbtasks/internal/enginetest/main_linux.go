package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// Main runs the tests of a package that uses engines, and exits; it stands for
// pgtest.Main in TestMain. As root it runs them in a child process on a machine
// of their own, which has no network but its own: what comes from npm or the Go
// proxy must be there already.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has something to tidy up before it exits.
func Run(m *testing.M) int {
	reexec.Run()
	if os.Geteuid() != 0 || Machine() != "" {
		return pgtest.Run(m)
	}
	// Without a program to run, the machine is made and left again.
	try := reexec.Command(context.Background(), initRole)
	try.SysProcAttr = machineAttr()
	if out, err := try.CombinedOutput(); err != nil {
		noMachine = fmt.Sprintf("no machine of its own can be made for the engine: %v: %s", err, strings.TrimSpace(string(out)))
		return pgtest.Run(m)
	}
	// They mostly wait for engines. What the command line says comes later and wins.
	return runKept(append([]string{"-test.parallel=4"}, os.Args[1:]...))
}

// Machine names the machine that these tests run on; "" where they have none of
// their own. It is also the name of its control group.
func Machine() string { return os.Getenv(machineName) }

const machineName = "DBTASKS_TEST_MACHINE"

// noMachine is why root has no machine of its own here.
var noMachine string

// require skips a test that has no machine, or not these programs; as root with
// CI set, or DBTASKS_TEST_ENGINES, it fails: there a skipped test would pass.
func require(t testing.TB, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a container engine")
	}
	why := noMachine
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			why = err.Error()
		}
	}
	switch {
	case why != "" && os.Getenv("CI")+os.Getenv("DBTASKS_TEST_ENGINES") != "":
		t.Fatal(why)
	case why != "":
		t.Skip(why)
	case Machine() == "":
		t.Fatal("the TestMain of this package does not call enginetest.Main")
	}
}
