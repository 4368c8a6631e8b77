//go:build linux

package faults

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// processFaults: dev servers that do not end as they should.
var processFaults = []fault{
	{name: "ignores TERM", inject: func(s *scene) { s.devServer("STUBBORN=1") }, args: "dev:stop -grace=300ms", says: "Stopped 1 process"},
	{name: "is stopped (Ctrl+Z)", inject: func(s *scene) { s.freeze(s.devServer().pid) }, args: "dev:stop -grace=300ms", says: "Stopped 1 process"},
	{name: "double-forks", inject: func(s *scene) { s.devServer("FORK=1") }, args: "dev:stop", says: "Stopped 1 process"},
	{name: "changes its title", inject: func(s *scene) { s.devServer("TITLE=next-server (v16.4.3)") }, args: "dev:stop", says: "Stopped 1 process"},
	{name: "a child outside the group", inject: func(s *scene) { s.devServer("CHILDREN=1", "SETSID=1") }, args: "dev:stop", says: "Stopped 2 process"},
	{name: "500 children", inject: func(s *scene) { s.devServer("CHILDREN=500") }, args: "dev:stop", says: "Stopped 501 process", bound: 15 * time.Second},
	{name: "children that come and go", inject: func(s *scene) { s.devServer("CHURN=1") }, args: "dev:stop", says: "all gone"},
	{name: "the port changes hands", inject: func(s *scene) {
		s.devServer()
		s.heir = s.start(filepath.Join(s.dir, "neighbour"), "listen", "PORT="+strconv.Itoa(s.ports), "PATIENT=1")
	}, args: "dev:stop", says: "Stopped 1 process", after: func(s *scene) {
		s.eventually("another project has the port", func() bool {
			return exec.Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d", s.ports)).Run() == nil
		})
		if o := s.run("dev:stop"); o.code != 0 || !s.heir.alive() {
			s.Errorf("the new owner of the port was ended: %s", o)
		}
	}},
	{name: "a client of the port, in the project's folder", inject: func(s *scene) {
		s.devServer()
		s.heir = s.start(s.project, "visit", "PORT="+strconv.Itoa(s.ports))
	}, args: "dev:stop", says: "Stopped 1 process", after: func(s *scene) {
		if !s.heir.alive() {
			s.Error("a client of the port was ended")
		}
	}},
	{name: "only another project's server", args: "dev:stop", says: "Nothing to stop"},
	{name: "the dev command is not there", inject: func(s *scene) { s.env["DBTASKS_DEV_COMMAND"] = "/nowhere/vite dev" }, args: "dev:start", exit: 127, says: "exit code 127"},
	{name: "the dev command fails", inject: func(s *scene) { s.env["DBTASKS_DEV_COMMAND"] = "exit 7" }, args: "dev:start", exit: 7, says: "exit code 7"},
	{name: "the dev command kills itself", inject: func(s *scene) { s.env["DBTASKS_DEV_COMMAND"] = "kill -9 $$" }, args: "dev:start", exit: 137, says: "exit code 137"},
	{name: "every dev port is taken", inject: func(s *scene) {
		s.env["DBTASKS_PORTS"] = strconv.Itoa(s.ports + 2)
		s.env["DBTASKS_DEV_COMMAND"] = "exit 0"
	}, args: "dev:start", exit: 1, says: "port"},
	{name: "a stale server of this project", inject: func(s *scene) { s.devServer(); s.env["DBTASKS_DEV_COMMAND"] = "exit 0" }, args: "dev:start", exit: 1, says: "port"},
	{name: "a stale server, replaced", inject: func(s *scene) { s.devServer(); s.env["DBTASKS_DEV_COMMAND"] = "exit 0" }, args: "dev:start -replace", says: "exit code 0"},
	{name: "the leaking process dies while it is cleaned up", inject: func(s *scene) {
		leak := pgtest.StartLeak(s.T, pgtest.LeakOptions{URL: s.db().URL("application_name=leak"), Sessions: 5})
		s.whenOurs("0 s", func(int) { leak.Kill() })
	}, args: "db:cleanup", says: "database"},
	{name: "a frozen client keeps its sessions", inject: func(s *scene) {
		leak := pgtest.StartLeak(s.T, pgtest.LeakOptions{URL: s.db().URL("application_name=leak"), Sessions: 5})
		s.must(syscall.Kill(leak.PID, syscall.SIGSTOP))
	}, args: "db:cleanup", says: "Ended 5 idle sessions"},
	{name: "the tests leave a process behind", inject: func(s *scene) {
		s.env["DBTASKS_TEST_COMMAND"] = "sleep 50 & exit 3"
	}, args: "dev:test", exit: 3, says: ""},
}

// devServer starts a dev server of the project on its first port.
func (s *scene) devServer(env ...string) *standin {
	s.Helper()
	return s.start(s.project, "listen", append(env, "PORT="+strconv.Itoa(s.ports))...)
}
