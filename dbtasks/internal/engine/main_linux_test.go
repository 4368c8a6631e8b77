package engine_test

import (
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }
