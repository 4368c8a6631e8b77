//go:build unix

package dbtasks

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAKilledInitLeavesNoFileOfItsOwnForEver(t *testing.T) {
	t.Parallel()
	fill := func() string {
		dir := t.TempDir()
		text := "{\n  \"devDependencies\": { \"vite\": \"8\" },\n  \"dependencies\": { \"pg\": \"8\" }\n}\n"
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	left := func(dir string) (list []string) {
		_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
			if strings.Contains(path, ".dbtasks-new") {
				list = append(list, path)
			}
			return nil
		})
		return list
	}
	runbook, killed := binary(t), 0
	began := time.Now()
	if o := runIn(t, fill(), nil, "dev:init"); o.code != 0 {
		t.Fatal(o)
	}
	whole := time.Since(began)
	for range 20 {
		dir := fill()
		cmd := exec.Command(runbook, "dev:init")
		cmd.Dir, cmd.Env = dir, withoutSettings(os.Environ())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(whole)))) // a random moment is what is tested
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		killed += len(left(dir))
		if o := runIn(t, dir, nil, "dev:init"); o.code != 0 {
			t.Fatal(o)
		}
		if list := left(dir); len(list) > 0 {
			t.Fatalf("the next run left %v", list)
		}
	}
	if killed > 2 { // between a file's name and its place there are microseconds
		t.Errorf("20 killed runs left %d files", killed)
	}
	dir := fill()
	if o := runIn(t, dir, nil, "dev:init"); o.code != 0 {
		t.Fatal(o)
	}
	stale := filepath.Join(dir, ".package.json.dbtasks-new")
	if err := os.WriteFile(stale, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := runIn(t, dir, nil, "dev:init"); o.code != 0 || len(left(dir)) > 0 {
		t.Errorf("beside a file that is right already: %v, %s", left(dir), o)
	}
}
