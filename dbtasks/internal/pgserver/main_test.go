package pgserver_test

import (
	"os"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/systemdtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	systemdtest.Stop()
	removeSupervisors()
	os.Exit(code)
}
