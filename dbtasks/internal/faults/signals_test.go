//go:build linux

package faults

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
)

// moment is a point in the life of a target at which a signal comes.
type moment struct {
	name    string
	args    string
	inject  func(*scene)
	reached func(*scene) bool
	after   func(*scene) // further checks
}

var moments = []moment{
	{name: "dev:start, the server runs", args: "dev:start", inject: serving, reached: (*scene).serves},
	{name: "dev:recover, in step stop", args: "dev:recover", inject: func(s *scene) { serving(s); s.devServer("STUBBORN=1", "NOTE=termed") }, reached: func(s *scene) bool { return s.exists("termed") }},
	{name: "dev:recover, in step restart", args: "dev:recover -restart=always", inject: func(s *scene) { serving(s); s.env["DBTASKS_RESTART_COMMAND"] = "sleep 39 & sleep 40; sleep 41" }, reached: func(s *scene) bool { return s.runs("sleep 40") }},
	{name: "dev:recover, in step cleanup", args: "dev:recover", inject: func(s *scene) {
		serving(s)
		s.own(pgserver.DisposableOptions{})
		s.leak = s.db().Open(2, "leak")
		s.freeze(int(s.leak[0].PgConn().PID()))
	}, reached: func(s *scene) bool { return s.said("cleaning up") }},
	{name: "dev:recover, in step start", args: "dev:recover", inject: serving, reached: (*scene).serves},
	verifying,
	{name: "db:monitor", args: "db:monitor -every=50ms", reached: func(s *scene) bool { return s.said("sessions") }},
	{name: "dev:test, the tests run", args: "dev:test", inject: func(s *scene) { s.env["DBTASKS_TEST_COMMAND"] = "sleep 41" }, reached: func(s *scene) bool { return s.runs("sleep 41") }},
}

// signalFaults: each signal at each moment, to the tool alone.
var signalFaults = func() (list []fault) {
	for _, m := range moments {
		for _, sig := range []struct {
			name string
			sig  syscall.Signal
		}{{"INT", syscall.SIGINT}, {"TERM", syscall.SIGTERM}, {"HUP", syscall.SIGHUP}, {"KILL", syscall.SIGKILL}} {
			list = append(list, fault{name: fmt.Sprintf("%s: %s", m.name, sig.name), inject: m.inject, after: m.after, exit: exitAfter(m, sig.sig),
				act: func(s *scene) outcome { return s.signalled(m, sig.sig) }})
		}
	}
	for _, m := range []moment{moments[0], {name: "dev:recover", args: "dev:recover", inject: serving, reached: (*scene).serves}, verifying} {
		target, _, _ := strings.Cut(m.args, " ")
		for _, launcher := range []string{"mage", "npm run", "npm run's sh"} {
			list = append(list, fault{name: fmt.Sprintf("%s: %s above it killed with -9", target, launcher), inject: m.inject, exit: -1, act: func(s *scene) outcome { return s.launched(launcher, m) }, bound: time.Minute, after: m.after})
		}
	}
	return list
}()

// exitAfter: what a target does until it is stopped is done then; else
// something is missing. A kill leaves no exit code.
func exitAfter(m moment, sig syscall.Signal) int {
	switch {
	case sig == syscall.SIGKILL:
		return -1
	case strings.HasPrefix(m.name, "db:monitor"), strings.HasSuffix(m.name, "in step start"):
		return 0
	case strings.HasPrefix(m.name, "dev:start") && sig == syscall.SIGINT:
		return 0 // Ctrl+C is how a dev server is ended
	case strings.HasPrefix(m.name, "dev:start"), strings.HasPrefix(m.name, "dev:test"):
		return 143 // of the command that was ended with TERM
	}
	return 1
}

// serving makes the stand-in the project's dev command.
func serving(s *scene) {
	_, node := programs(s.T)
	s.env["DBTASKS_DEV_COMMAND"] = "DBTASKS_ROLE=listen '" + node + "'"
}

// serves tells whether the dev server that the tool runs listens.
func (s *scene) serves() bool { return s.said("listening") }

// said tells whether the running tool has printed these words.
func (s *scene) said(words string) bool { return strings.Contains(s.output.String(), words) }

// runs tells whether the tool runs this command line.
func (s *scene) runs(command string) bool {
	for _, p := range s.marked() {
		if strings.HasSuffix(p, command) && !strings.Contains(p, "-c") {
			return true
		}
	}
	return false
}

// signalled runs a target to a moment and sends a signal there.
func (s *scene) signalled(m moment, sig syscall.Signal) outcome {
	s.row.target = m.args
	cmd, _, _ := s.command(strings.Fields(m.args)...)
	s.output = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	s.must(cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	s.eventually("the moment "+m.name, func() bool { return m.reached(s) })
	began := time.Now()
	s.must(cmd.Process.Signal(sig))
	select {
	case err := <-done:
		if s.thaw != nil {
			s.thaw()
		}
		o := s.outcome(err, s.output.text(), s.empty())
		if took := time.Since(began); took > 7*time.Second {
			s.Errorf("ended %s after the signal", took)
		}
		return o
	case <-time.After(12 * time.Second):
		_ = cmd.Process.Kill()
		return outcome{code: -2, stdout: s.output.String(), stderr: "did not end within 12 s of the signal"}
	}
}

// launched runs a target below a launcher and kills that alone.
func (s *scene) launched(launcher string, m moment) outcome {
	runbook, _ := programs(s.T)
	s.row.target = launcher + " " + m.args
	cmd, _, _ := s.command()
	s.output = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	if strings.HasPrefix(launcher, "npm") {
		s.npm()
		s.write("package.json", strings.Replace(s.read("package.json"), `"dev":"exit 0"`, `"dev":"exit 0","up":"`+runbook+` `+m.args+`"`, 1))
		cmd.Path, cmd.Args = lookPath("npm"), []string{"npm", "run", "up"}
		cmd.Env = append(cmd.Env, "npm_config_update_notifier=false", "npm_config_cache="+s.dir+"/npm")
	} else {
		cmd.Path, cmd.Args = "/bin/sh", []string{"mage", "-c", runbook + " " + m.args + "; :"}
	}
	s.must(cmd.Start())
	s.eventually("the moment "+m.name, func() bool { return m.reached(s) })
	victim := cmd.Process.Pid
	if strings.HasSuffix(launcher, "sh") {
		for _, p := range s.marked() {
			if strings.Contains(p, "sh -c "+runbook) {
				_, _ = fmt.Sscan(p, &victim)
			}
		}
	}
	s.must(syscall.Kill(victim, syscall.SIGKILL))
	return s.outcome(cmd.Wait(), s.output.text(), s.empty())
}
