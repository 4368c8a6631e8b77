package pgserver_test

import (
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
