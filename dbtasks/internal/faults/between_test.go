//go:build linux

package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// betweenFaults: what was planned is another when it is acted on.
var betweenFaults = []fault{
	{name: "a session closes between the look and the end", inject: func(s *scene) {
		s.leak = s.db().Open(3, "leak")
		s.beforeEnding(func() { s.closes(0) })
	}, act: remoteCleanup, says: "Ended 2 idle sessions", after: freed},
	{name: "a session gets to work between the look and the end", inject: func(s *scene) {
		s.leak = s.db().Open(3, "leak")
		s.beforeEnding(func() { _, _ = s.leak[0].Exec(context.Background(), "BEGIN") })
	}, act: remoteCleanup, says: "Ended 2 idle sessions", after: func(s *scene) { s.answer(s.leak[:1]) }},
	{name: "the dev server dies between the plan and the stop", inject: func(s *scene) { serving(s); s.heir = s.devServer("STUBBORN=1") }, act: func(s *scene) outcome {
		return s.paused("dev:recover -start=false", "1. stop", func() { _ = syscall.Kill(s.heir.pid, syscall.SIGKILL) })
	}, says: "ok    stop"},
	{name: "the database goes between the plan and the cleanup", inject: func(s *scene) { serving(s); down(s); s.pgctl("start", "-w"); s.devServer("STUBBORN=1") }, act: func(s *scene) outcome {
		return s.paused("dev:recover -start=false", "1. stop", func() { s.pgctl("stop", "-m", "immediate", "-w") })
	}, exit: 1, says: `Recovery stopped at "restart"`, bound: 20 * time.Second},
	{name: "another process takes the dev port before the dev server", inject: func(s *scene) {
		_, node := programs(s.T)
		s.env["DBTASKS_DEV_COMMAND"] = "echo chosen; until [ -e go ]; do sleep 0.02; done; DBTASKS_ROLE=listen '" + node + "'"
	}, act: func(s *scene) outcome {
		_, wait := s.running("dev:start")
		s.eventually("the port is chosen", func() bool { return s.said("chosen") })
		s.heir = s.start(filepath.Join(s.dir, "neighbour"), "listen", "PORT="+strconv.Itoa(s.ports))
		s.write("go", "")
		return wait()
	}, exit: 1, says: "address already in use", after: func(s *scene) {
		if !s.heir.alive() {
			s.Error("the port's new owner was ended")
		}
	}},
	// What could not be said is not done.
	{name: "the terminal is closed: dev:start", inject: serving, act: terminalClosed("dev:start", "listening"), exit: 1},
	{name: "the terminal is closed: dev:recover", inject: serving, act: terminalClosed("dev:recover", "listening"), exit: 1},
	{name: "the terminal is closed: dev:verify", inject: reloading(""), act: terminalClosed("dev:verify -reloads=500", "reload 2 of"), exit: 1, after: restored},
	{name: "the terminal is closed: db:monitor", act: terminalClosed("db:monitor", "usable"), exit: 1},
}

// beforeEnding puts a proxy before the server that does something once, before
// it passes on the statement that ends sessions.
func (s *scene) beforeEnding(do func()) {
	s.Helper()
	ending := nth(2, "pg_terminate_backend")
	do = sync.OnceFunc(do)
	s.through(proxy{cut: func(sent []byte) bool {
		if ending(sent) {
			do()
		}
		return false
	}})
}

// closes closes one session of the leak and waits until the server has it gone.
func (s *scene) closes(i int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	pid := s.leak[i].PgConn().PID()
	_ = s.leak[i].Close(ctx)
	admin := s.server.Admin("postgres")
	for gone := false; !gone && ctx.Err() == nil; {
		_ = admin.QueryRow(ctx, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", pid).Scan(&gone)
	}
}

// running starts a target; wait waits for its end.
func (s *scene) running(args string) (pid int, wait func() outcome) {
	s.Helper()
	if s.row.target == "" {
		s.row.target = args
	}
	cmd, _, _ := s.command(strings.Fields(args)...)
	s.output = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	s.must(cmd.Start())
	return cmd.Process.Pid, func() outcome { return s.outcome(cmd.Wait(), s.output.text(), s.empty()) }
}

// paused stops a target when it has said these words, and lets it go on when
// something has been done meanwhile. What it does next must take its time.
func (s *scene) paused(args, words string, meanwhile func()) outcome {
	s.Helper()
	pid, wait := s.running(args)
	for deadline := time.Now().Add(10 * time.Second); !s.said(words) && time.Now().Before(deadline); {
		time.Sleep(200 * time.Microsecond)
	}
	s.must(syscall.Kill(pid, syscall.SIGSTOP))
	s.eventually("it is held", func() bool { return state(pid) == "T" })
	meanwhile()
	s.must(syscall.Kill(pid, syscall.SIGCONT))
	return wait()
}

// terminalClosed runs a target in a terminal of its own until it has said these
// words, and closes that.
func terminalClosed(args, words string) func(*scene) outcome {
	return func(s *scene) outcome {
		s.row.target = args
		keys, tty := s.terminal()
		cmd, _, _ := s.command(strings.Fields(args)...)
		cmd.Env = append(cmd.Env, "TERM=xterm-256color")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		s.must(cmd.Start())
		_ = tty.Close()
		s.output = &lockedBuffer{}
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := keys.Read(buf)
				_, _ = s.output.Write(buf[:n])
				if err != nil {
					return
				}
			}
		}()
		s.eventually("it says "+words, func() bool { return s.said(words) })
		s.must(keys.Close()) // the only one of its kind: the terminal is gone
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			o := s.outcome(err, s.output.text(), s.empty())
			return outcome{code: o.code, stdout: "what it says goes nowhere"}
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			return outcome{code: -2, stdout: s.output.String(), stderr: args + " goes on without its terminal"}
		}
	}
}

// terminal is a pseudo terminal. Its side with the keys does not block: to
// close it must not wait for a reader.
func (s *scene) terminal() (keys, tty *os.File) {
	s.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	s.must(err)
	keys = os.NewFile(uintptr(fd), "/dev/ptmx")
	s.Cleanup(func() { _ = keys.Close() })
	s.must(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	s.must(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	s.must(err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	s.must(err)
	return keys, tty
}
