package runbook

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/devserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/settings"
)

// DevTestReport is what a run of the project's tests left behind.
type DevTestReport struct {
	OK       bool          `json:"ok"`
	Cleanup  CleanupReport `json:"cleanup"`
	Command  string        `json:"command"`
	ExitCode int           `json:"exit_code"`
	TookMS   int64         `json:"took_ms"`
	Sessions []Session     `json:"sessions_left"` // opened during the run, and still there after it
}

// DevTest ends idle sessions that no running process of this project uses,
// runs the test command and looks at what it left behind.
func (rb *Runbook) DevTest(ctx context.Context, stdin, stdout, stderr *os.File) (DevTestReport, error) {
	r := DevTestReport{Sessions: []pgops.Session{}}
	if err := rb.cfg.CheckCommand(settings.TestCommand); err != nil {
		return r, err
	}
	command, err := devserver.Test(rb.cfg.Root, rb.cfg.TestCommand, os.Environ())
	if err != nil {
		return r, scriptMissing(rb, settings.TestCommand, err)
	}
	r.Command = command.Line
	if rb.cfg.ReadOnly {
		plan, err := planOfCleanup(ctx, rb, "dev:test")
		if err != nil {
			return r, err
		}
		return r, refusedReadOnly(rb, "dev:test", plan, "would run: "+command.Line)
	}
	r.Cleanup, err = rb.Cleanup(ctx, CleanupOptions{Spare: SpareProject, Caller: "dev:test"})
	if f := AsFailure(err); f != nil && f.Exit != ExitRefused {
		return r, err
	}
	rb.progress("%s", cleanupLine(r.Cleanup, err))
	before, err := sessionsNow(ctx, rb)
	if err != nil {
		return r, err
	}
	rb.progress("running: %s", command.Line)
	began := time.Now()
	result, err := devserver.Run(ctx, command, devserver.RunOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	r.TookMS, r.ExitCode = time.Since(began).Milliseconds(), result.ExitCode
	if err != nil {
		return r, &Failure{Exit: ExitNotDone, Code: "run", Message: fmt.Sprintf("The tests could not be run: %v", err), Next: rb.Command("dev:test"), Err: err}
	}
	if r.Sessions, err = leftSince(context.WithoutCancel(ctx), rb, before); err != nil {
		return r, err
	}
	r.OK = r.ExitCode == 0
	return r, nil
}

// sessionsNow lists the sessions of the URL's database through the pool.
func sessionsNow(ctx context.Context, rb *Runbook) ([]pgops.Session, error) {
	c, err := rb.pool.Acquire(ctx)
	if err != nil {
		return nil, loginFailure(rb, rb.pool.URL(), err)
	}
	defer c.Release()
	return pgops.Sessions(ctx, c.Conn(), rb.pool.URL().Database)
}

// settleTime is how long sessions may take to end with their process:
// measured, 20 to 130 ms.
const settleTime = time.Second

// leftSince lists the sessions that are not among before and stay.
func leftSince(ctx context.Context, rb *Runbook, before []pgops.Session) ([]pgops.Session, error) {
	known := map[pgops.SessionID]bool{}
	for _, s := range before {
		known[s.ID()] = true
	}
	deadline := time.Now().Add(settleTime)
	for {
		after, err := sessionsNow(ctx, rb)
		if err != nil {
			return nil, err
		}
		left := []pgops.Session{}
		for _, s := range after {
			if !known[s.ID()] && s.ApplicationName != pgops.ApplicationName {
				left = append(left, s)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}
