//go:build unix

package dbtasks

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wrapped is a project with the wrappers and a bin/dbtasks that says how it
// was called.
func wrapped(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"scripts", "bin", "magefiles"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	scripts, err := filepath.Glob("../scripts/*.sh")
	if err != nil || len(scripts) < 4 {
		t.Fatalf("%d scripts: %v", len(scripts), err)
	}
	// Other processes write what is to be run: a child of a parallel test's would
	// inherit the descriptor from us, and what is open for writing can't be run.
	copies := exec.Command("cp", append(scripts, filepath.Join(root, "scripts"))...)
	fake := exec.Command("sh", "-c", `printf '#!/bin/sh\necho "compiled $*"\n' > "$0" && chmod 755 "$0"`, filepath.Join(root, "bin", "dbtasks"))
	for _, cmd := range []*exec.Cmd{copies, fake} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
	}
	return root
}

// script runs a wrapper from another folder, as npm would from anywhere.
func script(t *testing.T, root, name string, args ...string) (string, int) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not here")
	}
	cmd := exec.Command(filepath.Join(root, "scripts", name), args...)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "PATH=/usr/bin:/bin") // of no mage
	out, err := cmd.CombinedOutput()
	return string(out), exitCode(err)
}

func TestTheWrappersTranslateFlagsAndUseTheCompiledRunbook(t *testing.T) {
	t.Parallel()
	root := wrapped(t)
	for line, want := range map[string]string{
		"cleanup-db-connections.sh":                       "compiled db:cleanup",
		"cleanup-db-connections.sh --force":               "compiled db:cleanup -force",
		"cleanup-db-connections.sh --dry --idle=5m -json": "compiled db:cleanup -dry -idle=5m -json",
		"monitor-connections.sh --once":                   "compiled db:monitor -once",
		"recover.sh --dry --start=false":                  "compiled dev:recover -dry -start=false",
		"run-target.sh db:test --wait=5s":                 "compiled db:test -wait=5s",
	} {
		fields := strings.Fields(line)
		out, code := script(t, root, fields[0], fields[1:]...)
		if got, _, _ := strings.Cut(out, "\n"); got != want || code != 0 {
			t.Errorf("%s: exit %d %q, want %q", line, code, got, want)
		}
	}
	out, code := script(t, root, "cleanup-db-connections.sh", "force")
	if code != 2 || strings.Contains(out, "compiled") {
		t.Errorf("a bare word: exit %d %q", code, out)
	}
}

// In the runbook's own repository an old program is taken only where nothing
// newer can be had, with a warning; in a project there are no sources of it.
func TestAnOldRunbookIsBetterThanNone(t *testing.T) {
	t.Parallel()
	root := wrapped(t)
	source := filepath.Join(root, "magefiles", "magefile.go")
	if err := os.WriteFile(source, []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := time.Now().Add(time.Hour)
	if err := os.Chtimes(source, newer, newer); err != nil {
		t.Fatal(err)
	}
	if out, _ := script(t, root, "cleanup-db-connections.sh"); out != "compiled db:cleanup\n" {
		t.Errorf("in a project: %q", out)
	}
	if err := os.Mkdir(filepath.Join(root, "dbtasks"), 0o755); err != nil {
		t.Fatal(err)
	}
	// No go.mod: Go makes nothing here, and there is no mage in this PATH.
	if out, code := script(t, root, "cleanup-db-connections.sh"); code != 0 || !strings.Contains(out, "taking the old one") || !strings.Contains(out, "compiled db:cleanup") {
		t.Errorf("in the repository, without Go: exit %d, %q", code, out)
	}
}
