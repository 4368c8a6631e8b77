package dbtasks

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// A project's tests have a database of their own, in .env.test: what dev:test
// cleans up is that one.
func TestDevTestTakesTheDatabaseOfTestMode(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	dev, test := s.NewDatabase(), s.NewDatabase()
	dev.Open(2, "leak")
	test.Open(2, "leak")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"package.json": `{"name":"shop","scripts":{"test:run":"true"},"devDependencies":{"vite":"^8.0.0"}}`,
		".env":         "DATABASE_URL=" + dev.URL("connection_limit=5") + "\n",
		".env.test":    "DATABASE_URL=" + test.URL("connection_limit=5") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := runIn(t, dir, nil, "dev:test")
	if o.code != 0 {
		t.Fatalf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if a, b := s.Sessions(dev.Name), s.Sessions(test.Name); a != 2 || b != 0 {
		t.Errorf("%d sessions of the development database and %d of the tests' are left, want 2 and 0", a, b)
	}
}
