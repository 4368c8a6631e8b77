//go:build unix

package devserver

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

const supervisorRole = "dev-supervisor"

func init() { reexec.Register(supervisorRole, func([]string) int { return supervise() }) }

// supervise is the process between this tool and the command. It is the
// command's parent, and does not end before the command's tree is gone.
func supervise() int {
	control, report := os.NewFile(3, "control"), os.NewFile(4, "report")
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	in, out := json.NewDecoder(control), json.NewEncoder(report)
	var o order
	if in.Decode(&o) != nil {
		return 1 // who started us is dead already
	}
	if o.Watched {
		life := os.NewFile(5, "life")
		unix.CloseOnExec(5)
		defer func() { _, _ = life.Write([]byte{1}) }() // the tree is gone
	}
	// What is listened to is back at its default in the command; what is
	// ignored stays ignored there.
	signals := make(chan os.Signal, 8)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if contains(o.Ignore, s) {
			signal.Ignore(s)
		} else {
			signal.Notify(signals, s)
		}
	}
	hostops.Subreap()
	restore := keepTerminal(os.Stdin)
	defer restore()

	if path := lookup(o.Env, "PATH"); path != nil {
		_ = os.Setenv("PATH", *path) // where exec looks the program up
	}
	cmd := exec.Command(o.Args[0], o.Args[1:]...)
	cmd.Dir, cmd.Env = o.Dir, o.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	runtime.LockOSThread()
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		_ = out.Encode(event{Error: err.Error()})
		return 127
	}
	exited := reap(cmd.Process.Pid)
	_ = out.Encode(event{PID: cmd.Process.Pid})
	asked := make(chan struct{})
	go func() {
		// A word, or the end of who would have said it.
		_ = in.Decode(&struct{}{})
		close(asked)
	}()
	w := watch{grace: o.Grace, tree: newFamilyOf(os.Getpid()), exited: exited, asked: asked, signals: signals}
	w.untilEnd()
	w.letInterrupted()
	left := w.tree.end(context.Background(), o.Grace)
	_ = out.Encode(event{Done: true, Exit: w.exitCode(), Reason: w.reasonAtEnd(), Left: left})
	return 0
}

// newFamilyOf is the family of a process that has no other children.
func newFamilyOf(pid int) *family {
	return &family{root: pid, known: map[hostops.Identity]bool{}}
}

// watch is the supervisor's wait for the end.
type watch struct {
	tree        *family
	exited      <-chan syscall.WaitStatus
	asked       <-chan struct{}
	signals     <-chan os.Signal
	status      *syscall.WaitStatus // the command's, once it has ended
	interrupted time.Time           // the terminal's Ctrl+C, which the command got as well
	reason      string
	grace       time.Duration // between TERM and KILL
}

// untilEnd returns when there is a reason to end the tree.
func (w *watch) untilEnd() {
	var look <-chan time.Time
	if !hostops.CanSubreap {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case status := <-w.exited:
			w.status = &status
			return
		case <-w.asked:
			return
		case sig := <-w.signals:
			if sig == syscall.SIGINT {
				w.interrupted = time.Now()
				continue
			}
			w.reason = unix.SignalName(sig.(syscall.Signal))
			return
		case <-look:
			_, _ = w.tree.look(context.Background())
		}
	}
}

// letInterrupted gives a tree that got Ctrl+C from the terminal the time to
// end by itself; a second signal ends the patience.
func (w *watch) letInterrupted() {
	if w.interrupted.IsZero() && w.status == nil && w.reason == "" {
		// The word to end may have overtaken the signal to the group.
		select {
		case sig := <-w.signals:
			if sig == syscall.SIGINT {
				w.interrupted = time.Now()
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	limit := time.After(time.Until(w.interrupted.Add(interruptGrace)))
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-limit:
			return
		case <-w.signals:
			return
		case status := <-w.exited:
			w.status = &status
		case <-poll.C:
			plan, err := w.tree.look(context.Background())
			// What is in another group (a daemon) did not get the signal.
			if err != nil || !slices.ContainsFunc(plan.Targets, func(t hostops.StopTarget) bool { return t.Process.PGID == unix.Getpgrp() }) {
				return
			}
		}
	}
}

// reasonAtEnd is what ended the tree where it was not the command itself. A
// Ctrl+C comes to the whole group: the command may have ended by it, and have
// been reaped, before the signal to this process was read.
func (w *watch) reasonAtEnd() string {
	if code := w.exitCode(); w.reason == "" && w.interrupted.IsZero() && code == 128+int(syscall.SIGINT) {
		select {
		case sig := <-w.signals:
			if sig == syscall.SIGINT {
				w.interrupted = time.Now()
			}
		case <-time.After(time.Second): // it was sent to the command alone
		}
	}
	if w.reason == "" && time.Since(w.interrupted) < interruptGrace+w.grace {
		return Interrupted
	}
	return w.reason
}

// exitCode is the command's.
func (w *watch) exitCode() int {
	if w.status == nil {
		select {
		case status := <-w.exited:
			w.status = &status
		case <-time.After(100 * time.Millisecond):
			return 1 // it can't be killed
		}
	}
	if w.status.Signaled() {
		return 128 + int(w.status.Signal())
	}
	return w.status.ExitStatus()
}

// reap waits for every child: for the command, whose status it gives, and for
// the orphans that come to a subreaper. Nobody else in this process waits for
// children.
func reap(pid int) <-chan syscall.WaitStatus {
	exited := make(chan syscall.WaitStatus, 1)
	go func() {
		for {
			var status syscall.WaitStatus
			got, err := syscall.Wait4(-1, &status, 0, nil)
			switch {
			case errors.Is(err, syscall.EINTR):
			case err != nil:
				return // no child is left, so none can come any more
			case got == pid:
				exited <- status
			}
		}
	}()
	return exited
}
