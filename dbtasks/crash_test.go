package dbtasks

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/magefile/mage/mg"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/crash"
	"github.com/pgrunbook/pgrunbook/dbtasks/runbook"
)

func TestACrashIsNotDoneAndSaysThatItIsNotKnownHowFarItGot(t *testing.T) {
	t.Parallel()
	var none map[string]int // a variable of the test's, so that no check sees the fault coming
	fault := func() { none["x"] = 1 }
	for name, call := range map[string]func(){
		"here": fault,
		"on another goroutine": func() {
			var carried crash.Carried
			var wg sync.WaitGroup
			wg.Go(func() { carried.Do(fault) })
			wg.Wait()
			carried.Rethrow()
		},
	} {
		err := target{name: "db:x", noSettings: true}.run(context.Background(), func(context.Context, *runbook.Runbook) (result, error) {
			call()
			return result{}, nil
		})
		if mg.ExitStatus(err) != runbook.ExitNotDone {
			t.Errorf("%s: exit %d", name, mg.ExitStatus(err))
		}
		if text := err.Error(); strings.Contains(text, "othing was touched") || !strings.Contains(text, "not known") || !strings.Contains(text, "crash_test.go") || !strings.Contains(text, "nil map") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestAResultThatCouldNotBeWrittenIsNoSuccess(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no device that is always full here")
	}
	defer full.Close()
	for _, args := range [][]string{{"dev:stop", "-dry", "-json"}, {"dev:stop", "-dry"}} {
		cmd := exec.Command(binary(t), args...)
		cmd.Dir, cmd.Env, cmd.Stdout = t.TempDir(), withoutSettings(os.Environ()), full
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if code := exitCode(cmd.Run()); code != 1 || !strings.Contains(stderr.String(), "could not be written") {
			t.Errorf("%v: exit %d, %s", args, code, &stderr)
		}
	}
}

func TestWithoutAViewOfTheProcessesNothingIsSaidAboutThem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("Linux alone can have its processes hidden by a mount")
	}
	script := `mount -t tmpfs none /proc && exec "$@"`
	if err := exec.Command("unshare", "-rm", "sh", "-c", script, "sh", "true").Run(); err != nil {
		t.Skipf("this user may not hide /proc from a process: %v", err)
	}
	cmd := exec.Command("unshare", "-rm", "sh", "-c", script, "sh", binary(t), "dev:stop", "-json")
	cmd.Dir, cmd.Env = t.TempDir(), withoutSettings(os.Environ())
	out, err := cmd.Output()
	var said struct{ Message string }
	if code := exitCode(err); code != 1 || json.Unmarshal(out, &said) != nil || !strings.Contains(said.Message, "/proc") {
		t.Errorf("exit %d: %s", code, out)
	}
}
