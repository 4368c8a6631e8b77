package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
)

// run holds the command's tree in a job object: Windows itself ends all of it
// when the last handle closes, which is when this process ends, however it
// does. What the command starts in the moment before it is put into the job is
// outside. Written after Microsoft's documentation; not run by its authors.
func run(ctx, clean context.Context, cmd Command, o RunOptions) (Result, error) {
	var launchers []hostops.Process
	if table, err := hostops.Snapshot(clean); err == nil {
		launchers = launchersOf(table, os.Getpid())
	}
	job, err := newJob()
	if err != nil {
		return Result{ExitCode: 1}, fmt.Errorf("run %s: %w: %w", cmd.Line, ErrNotStarted, err)
	}
	defer windows.CloseHandle(job)
	interrupts := make(chan os.Signal, 4)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	ends := make(chan os.Signal, 4)
	signal.Notify(ends, syscall.SIGTERM) // the console window closes, the user logs off
	defer signal.Stop(ends)

	child := exec.Command(cmd.Args[0], cmd.Args[1:]...)
	child.Dir, child.Env = cmd.Dir, cmd.Env
	if o.Stdin != nil {
		child.Stdin = o.Stdin
	}
	if o.Stdout != nil {
		child.Stdout = o.Stdout
	}
	if o.Stderr != nil {
		child.Stderr = o.Stderr
	}
	if err := child.Start(); err != nil {
		return Result{ExitCode: 127}, fmt.Errorf("run %s: %w: %w", cmd.Line, ErrNotStarted, err)
	}
	if err := adopt(job, child.Process.Pid); err != nil {
		_ = child.Process.Kill()
		_ = child.Wait()
		return Result{ExitCode: 1}, fmt.Errorf("run %s: %w: %w", cmd.Line, ErrNotStarted, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- child.Wait() }()
	if o.OnStart != nil {
		o.OnStart(child.Process.Pid)
	}
	reason := waitForEnd(ctx, exited, interrupts, ends, launchers)
	if reason == "interrupted" {
		// The console sent Ctrl+C to the command as well.
		select {
		case err := <-exited:
			exited <- err
		case <-time.After(interruptGrace):
		}
	}
	_ = windows.TerminateJobObject(job, 1)
	err = <-exited
	result := Result{ExitCode: 1, Reason: reason}
	var failed *exec.ExitError
	if err == nil || errors.As(err, &failed) {
		result.ExitCode = child.ProcessState.ExitCode()
	}
	return result, nil
}

// waitForEnd is why the run ends; empty: the command has ended.
func waitForEnd(ctx context.Context, exited chan error, interrupts, ends <-chan os.Signal, launchers []hostops.Process) string {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-exited:
			exited <- err
			return ""
		case <-interrupts:
			return "interrupted"
		case <-ctx.Done():
			return reasonOf(ctx)
		case <-ends:
			return "SIGTERM"
		case <-tick.C:
			if gone := missing(launchers); gone != "" {
				return gone
			}
		}
	}
}

// newJob is a job object whose processes end with it.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("create a job object: %w", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		_ = windows.CloseHandle(job)
		return 0, fmt.Errorf("set up a job object: %w", err)
	}
	return job, nil
}

// adopt puts a process into the job.
func adopt(job windows.Handle, pid int) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer windows.CloseHandle(process)
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		return fmt.Errorf("put process %d into a job object: %w", pid, err)
	}
	return nil
}
