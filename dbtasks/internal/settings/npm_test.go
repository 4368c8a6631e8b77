package settings

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// installed is a folder with what the package.json of a folder of testdata asks
// for, from npm, and that folder's own files.
func installed(t *testing.T, from string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			unavailable(t, program+" is not here")
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error")
	npm.Dir = dir
	npm.Env = append(os.Environ(), "npm_config_update_notifier=false")
	if out, err := npm.CombinedOutput(); err != nil {
		unavailable(t, fmt.Sprintf("npm can't install %s: %v: %s", filepath.Base(from), err, out))
	}
	return dir
}

// unavailable skips, or fails where the environment says that nothing may be
// missing.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("DBTASKS_TEST_APPS") == "required" {
		t.Fatal(why)
	}
	t.Skip(why)
}
