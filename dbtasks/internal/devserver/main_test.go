package devserver

import (
	"os"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// programVariable says which stand-in this binary plays, in the trees that
// the tests start; the shell lines in them set it.
const programVariable = "DEVSERVER_TEST_PROGRAM"

var programs = map[string]func(args []string) int{}

func TestMain(m *testing.M) {
	reexec.Run()
	if program := programs[os.Getenv(programVariable)]; program != nil {
		os.Exit(program(os.Args[1:]))
	}
	os.Exit(reexec.Tests(m))
}
