//go:build unix

package devserver

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// ignored are the signals that were ignored when this program started (nohup,
// a shell's background job): looked up before anybody listens to them, which
// would make them count again, and passed on to the command.
var ignored = func() (list []syscall.Signal) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}()

func notIgnored(all ...syscall.Signal) (list []os.Signal) {
	for _, s := range all {
		if !contains(ignored, s) {
			list = append(list, s)
		}
	}
	return list
}

func contains(list []syscall.Signal, s syscall.Signal) bool {
	for _, i := range list {
		if i == s {
			return true
		}
	}
	return false
}

// run is the side of this process: it starts the supervisor and tells it when
// to end.
func run(ctx, clean context.Context, cmd Command, o RunOptions) (Result, error) {
	if os.Getenv(roleVariable) == supervisorRole {
		return Result{ExitCode: 1}, ErrNoRoles // else we would start ourselves for ever
	}
	var launchers []hostops.Process
	if table, err := hostops.Snapshot(clean); err == nil {
		launchers = launchersOf(table, os.Getpid())
	}
	guard, err := startWatcher(o.Grace)
	if err == nil {
		defer guard.dismiss()
		cmd.Env = append(slices.Clone(cmd.Env), guard.mark)
	}
	mine := newFamily(clean, os.Getpid())
	// Orphans come to us should the supervisor be killed.
	defer hostops.Subreap()()
	signals := make(chan os.Signal, 4)
	if listen := notIgnored(syscall.SIGTERM, syscall.SIGHUP); len(listen) > 0 {
		signal.Notify(signals, listen...)
		defer signal.Stop(signals)
	}
	s, err := startSupervisor(cmd, o, guard)
	if err != nil {
		return Result{ExitCode: 1}, err
	}
	defer s.close()

	var result Result
	var late <-chan time.Time
	done := ctx.Done()
	end := func(reason string) {
		if result.Reason == "" {
			result.Reason = reason
			late = time.After(givenUp)
			s.end()
		}
		done = nil
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case e, ok := <-s.events:
			switch {
			case !ok:
				// The supervisor is dead before its work was done.
				if result.Reason == "" {
					result.Reason = "its supervisor was killed"
				} else {
					o.Grace = 100 * time.Millisecond // the patience is used up
				}
				s.wait()
				result.ExitCode, result.Left = 1, mine.end(clean, o.Grace)
				reapOrphans(clean, mine)
				return result, nil
			case e.Error != "":
				return Result{ExitCode: 127}, fmt.Errorf("run %s: %w: %s", cmd.Line, ErrNotStarted, e.Error)
			case e.Done:
				if result.Reason == "" {
					result.Reason = e.Reason
				}
				result.ExitCode, result.Left = e.Exit, e.Left
				s.wait()
				return result, nil
			case o.OnStart != nil:
				o.OnStart(e.PID)
			}
		case sig := <-signals:
			end(unix.SignalName(sig.(syscall.Signal)))
		case <-done:
			end(reasonOf(ctx))
		case <-tick.C:
			if gone := missing(launchers); gone != "" {
				end(gone)
			}
			if !hostops.CanSubreap {
				_, _ = mine.look(clean)
			}
		case <-late:
			_ = s.cmd.Process.Kill() // frozen
		}
	}
}

// order is what the supervisor is told, through a pipe: the environment holds
// secrets, and everybody can read a command line.
type order struct {
	Args, Env []string
	Dir       string
	Grace     time.Duration
	Ignore    []syscall.Signal
	Watched   bool // descriptor 5 is the watcher's pipe
}

// event is what it tells us: started, not started, or done.
type event struct {
	PID    int
	Error  string
	Done   bool
	Exit   int
	Reason string
	Left   []hostops.Process
}

// supervisor is our end of the supervising process.
type supervisor struct {
	cmd     *exec.Cmd
	control *os.File   // when it closes, the tree is ended
	report  *os.File   // closes when the supervisor dies
	events  chan event // what came through report; closed with it
}

func startSupervisor(cmd Command, o RunOptions, guard *watcher) (*supervisor, error) {
	theirControl, control, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe to the supervisor: %w", err)
	}
	defer theirControl.Close()
	report, theirReport, err := os.Pipe()
	if err != nil {
		_ = control.Close()
		return nil, fmt.Errorf("make a pipe to the supervisor: %w", err)
	}
	defer theirReport.Close()
	s := &supervisor{cmd: reexec.Command(context.Background(), supervisorRole), control: control, report: report, events: make(chan event)}
	// A nil *os.File in an interface would not be nil any more.
	for _, std := range []struct {
		file *os.File
		set  func()
	}{
		{o.Stdin, func() { s.cmd.Stdin = o.Stdin }},
		{o.Stdout, func() { s.cmd.Stdout = o.Stdout }},
		{o.Stderr, func() { s.cmd.Stderr = o.Stderr }},
	} {
		if std.file != nil {
			std.set()
		}
	}
	s.cmd.ExtraFiles = []*os.File{theirControl, theirReport}
	if guard != nil {
		s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, guard.life)
	}
	if err := s.cmd.Start(); err != nil {
		s.close()
		return nil, fmt.Errorf("start the supervisor of %s: %w: %w", cmd.Line, ErrNotStarted, err)
	}
	go func() {
		defer close(s.events)
		for lines := json.NewDecoder(report); ; {
			var e event
			if lines.Decode(&e) != nil {
				return
			}
			s.events <- e
			if e.Done || e.Error != "" {
				return
			}
		}
	}()
	// An error here means that it is dead, which the other pipe tells too.
	_ = json.NewEncoder(control).Encode(order{Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Grace: o.Grace, Ignore: ignored, Watched: guard != nil})
	return s, nil
}

// end asks for the end of the tree.
func (s *supervisor) end() { _ = json.NewEncoder(s.control).Encode(struct{}{}) }

// wait reaps it; it has nothing left to do when this is called.
func (s *supervisor) wait() { _ = s.cmd.Wait() }

func (s *supervisor) close() {
	_ = s.control.Close()
	_ = s.report.Close()
}

// reapOrphans frees the pids of what was reparented to us and has ended.
func reapOrphans(ctx context.Context, f *family) {
	table, err := hostops.Snapshot(ctx)
	if err != nil {
		return
	}
	for _, p := range table.Children(os.Getpid()) {
		if p.State == hostops.Zombie && !f.before[p.Identity] {
			_, _ = unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
		}
	}
}
