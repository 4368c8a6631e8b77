package dbtasks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLastTargetOfACallClosesThePool(t *testing.T) {
	t.Parallel()
	for line, last := range map[string]bool{
		"db:test":                           true,
		"db:test -json":                     true,
		"db:cleanup db:test":                true,
		"pg:db:test -wait=5s":               true,
		"db:test db:cleanup":                false,
		"db:test -json db:monitor -for=10s": false,
	} {
		if got := lastTarget(strings.Fields(line), "db:test"); got != last {
			t.Errorf("%s: last %v, want %v", line, got, last)
		}
	}
}

func TestForceInAnNpmrcDoesNotCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]bool{"force=true\n": true, "force = true\n": true, "force\n": true, "force=false\n": false, "# force=true\nfund=false\n": false} {
		file := filepath.Join(dir, "npmrc")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := npmrcForces(file); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		environ := []string{"npm_config_force=true", "npm_lifecycle_event=db:cleanup", "npm_config_userconfig=" + file}
		if want && npmForce(environ, os.Getpid()) {
			t.Errorf("%q in .npmrc counted as --force on the command line", text)
		}
	}
	if npmForce([]string{"npm_config_force=true"}, os.Getpid()) {
		t.Error("counted outside of npm run")
	}
}
