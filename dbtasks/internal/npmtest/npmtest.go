// Package npmtest gives tests real packages from npm.
package npmtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Install is a folder, which goes with the test, with the files of another
// (package.json among them) and the packages that its package.json asks for.
// No package's own script is run. The test is skipped where they can't be had,
// but never in CI.
func Install(t testing.TB, from string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			Unavailable(t, program+" is not here")
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error", "--legacy-peer-deps")
	npm.Dir = dir
	npm.Env = append(os.Environ(), "npm_config_update_notifier=false")
	if out, err := npm.CombinedOutput(); err != nil {
		Unavailable(t, fmt.Sprintf("npm can't install %s: %v: %s", from, err, out))
	}
	return dir
}

// Unavailable skips the test, but never in CI: skipped tests would pass.
func Unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// nodes are the versions of Node.js that were installed, by what was asked for.
var (
	nodesMu sync.Mutex
	nodes   = map[string]string{}
)

// Node is the folder of the programs of another version of Node.js ("22"), from
// npm. It is installed once a machine, in the user's cache.
func Node(t testing.TB, version string) string {
	t.Helper()
	nodesMu.Lock()
	defer nodesMu.Unlock()
	if dir := nodes[version]; dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		Unavailable(t, err.Error())
	}
	root := filepath.Join(cache, "dbtasks-tests", "node"+version)
	bin := filepath.Join(root, "node_modules", "node", "bin")
	if exec.Command(filepath.Join(bin, "node"), "-v").Run() != nil {
		if err := os.MkdirAll(root, 0o700); err != nil {
			t.Fatal(err)
		}
		npm := exec.Command("npm", "install", "--prefix", root, "--no-audit", "--no-fund", "--loglevel=error", "node@"+version)
		npm.Dir = root
		npm.Env = append(os.Environ(), "npm_config_update_notifier=false")
		out, err := npm.CombinedOutput()
		if err == nil {
			err = exec.Command(filepath.Join(bin, "node"), "-v").Run()
		}
		if err != nil {
			Unavailable(t, fmt.Sprintf("npm can't install Node.js %s: %v: %s", version, err, out))
		}
	}
	nodes[version] = bin
	return bin
}
