package reexec_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

func init() {
	reexec.Register("echo", func(args []string) int {
		in, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%q %s %q", args, in, os.Getenv("DBTASKS_ROLE"))
		return 7
	})
}

func TestMain(m *testing.M) {
	os.Exit(reexec.Tests(m))
}

func TestARoleGetsItsArgumentsAndItsExitCodeIsTheProcesss(t *testing.T) {
	t.Parallel()
	cmd := reexec.Command(t.Context(), "echo", "-test.run=None", "a b", "")
	cmd.Stdin = strings.NewReader("secret")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("%v, want exit status 7", err)
	}
	// The last word is the variable: a child of the role must not find it.
	if want := `["-test.run=None" "a b" ""] secret ""`; string(out) != want {
		t.Errorf("%s\nwant %s", out, want)
	}
}

func TestARoleThatDoesNotExistIsNotTakenForTheProgramItself(t *testing.T) {
	t.Parallel()
	out, err := reexec.Command(t.Context(), "no-such-role").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "no-such-role") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestTheContextEndsARole(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := reexec.Command(ctx, "echo")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := cmd.Wait(); !errors.Is(err, context.Canceled) && cmd.ProcessState.Success() {
		t.Errorf("%v, %v", err, cmd.ProcessState)
	}
}

func TestARoleIsRegisteredOnce(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	reexec.Register("echo", func([]string) int { return 0 })
}

// hearsHangup is set where the test below runs under nohup.
const hearsHangup = "DBTASKS_TEST_NOHUP"

func TestWhatTestsStartHearsAHangupAlsoUnderNohup(t *testing.T) {
	if os.Getenv(hearsHangup) != "" {
		out, err := exec.Command("sh", "-c", "kill -HUP $$; echo it goes on").Output()
		if err == nil || len(out) > 0 {
			t.Errorf("a child that was sent a hangup: %q, %v", out, err)
		}
		return
	}
	t.Parallel()
	nohup, err := exec.LookPath("nohup")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), nohup, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), hearsHangup+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v, %s", err, out)
	}
}

func TestAProcessWhoseRoleNobodyPlayedStartsNothing(t *testing.T) {
	t.Setenv("DBTASKS_ROLE", "supervisor") // as in a program that never calls Run
	if err := reexec.Command(t.Context(), "echo").Run(); err == nil || !strings.Contains(err.Error(), "supervisor") {
		t.Errorf("%v, want a refusal: it would start itself without end", err)
	}
}
