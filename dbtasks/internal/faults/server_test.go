//go:build linux

package faults

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// serverFaults: the server is down, on its way, frozen, crashing.
var serverFaults = []fault{
	{name: "down", inject: down, args: "db:test", exit: 1, says: "Nothing accepts connections"},
	{name: "down: cleanup", inject: down, args: "db:cleanup -force", exit: 1, says: "Nothing accepts connections"},
	{name: "down: who", inject: down, args: "db:who", exit: 1, says: "Nothing accepts connections"},
	{name: "down: recover knows no way", inject: down, args: "dev:recover", exit: 1, says: "can't be restarted from here"},
	{name: "starting up, for ever", inject: standby("off"), args: "db:test", exit: 1, says: "lets nobody in yet"},
	{name: "starting up: wait ends", inject: standby("off"), args: "db:test -wait=1s", exit: 1, says: "lets nobody in yet"},
	{name: "read-only standby", inject: standby("on"), args: "db:test", says: "OK: logged in"},
	{name: "read-only standby: cleanup", inject: standby("on"), args: "db:cleanup", says: "No idle session"},
	{name: "smart shutdown, clients stay", inject: smart, args: "db:test", exit: 1, says: "is shutting down"},
	{name: "smart shutdown: recover restarts", inject: smart, args: "dev:recover", says: "restarted, and lets a login in", bound: 20 * time.Second},
	{name: "frozen postmaster", inject: func(s *scene) { s.own(pgserver.DisposableOptions{}); s.freeze(s.server.PID); s.short() }, args: "db:test", exit: 1, says: "No answer from"},
	{name: "frozen postmaster: cleanup", inject: func(s *scene) { s.own(pgserver.DisposableOptions{}); s.freeze(s.server.PID); s.short() }, args: "db:cleanup", exit: 1, says: "No answer from", bound: 10 * time.Second},
	{name: "one frozen backend", inject: func(s *scene) {
		s.own(pgserver.DisposableOptions{})
		s.leak = s.db().Open(3, "leak")
		s.freeze(int(s.leak[1].PgConn().PID()))
	}, args: "db:cleanup", exit: 1, says: "Ended 2 of 3", bound: 12 * time.Second},
	{name: "our own backend killed with -9", inject: func(s *scene) {
		s.own(pgserver.DisposableOptions{})
		s.ended = true
		s.whenOurs("300 ms", func(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) })
	}, args: "db:monitor -every=100ms -for=2s -json", says: `"error"`},
	{name: "stale postmaster.pid", inject: func(s *scene) {
		down(s)
		text := "1\n" + s.server.DataDir + "\n1\n" + strconv.Itoa(s.server.Port) + "\n/tmp\n127.0.0.1\n"
		s.plant("postmaster.pid", []byte(text))
	}, args: "dev:recover -restart=always", exit: 1, says: "can't be restarted from here", after: func(s *scene) {
		if _, err := os.Stat(filepath.Join(s.server.DataDir, "postmaster.pid")); err != nil {
			s.Errorf("postmaster.pid was touched: %v", err)
		}
	}},
	{name: "restart: wrong data directory", inject: func(s *scene) {
		down(s)
		s.env["DBTASKS_RESTART_COMMAND"] = "/nonexistent/pg_ctl restart -D /nonexistent"
	}, args: "dev:recover", exit: 1, says: "PostgreSQL was not restarted"},
	{name: "restart: command hangs up without a server", inject: func(s *scene) { down(s); s.env["DBTASKS_RESTART_COMMAND"] = "true" }, args: "dev:recover", exit: 1, says: "Nothing accepts connections", bound: 60 * time.Second},
	{name: "two servers on the machine", inject: func(s *scene) {
		s.own(pgserver.DisposableOptions{})
		s.leak = s.db().Open(2, "leak")
		s.env["DBTASKS_ADMIN_URL"] = common.AdminURL("postgres") // of the other
	}, args: "db:cleanup", says: "Ended 2 idle sessions"},
	{name: "two servers: the admin's is another, ours is full", inject: func(s *scene) {
		full(s)
		s.fillReserved()
		s.env["DBTASKS_ADMIN_URL"] = common.AdminURL("postgres")
	}, args: "db:cleanup -dry", says: ""},
}

// down is a server that was stopped.
func down(s *scene) {
	s.own(pgserver.DisposableOptions{})
	s.pgctl("stop", "-m", "fast", "-w")
	s.ended = true
}

// standby waits for its primary for ever, with or without readers meanwhile;
// without, it answers as a server that replays its log.
func standby(hot string) func(*scene) {
	return func(s *scene) {
		s.own(pgserver.DisposableOptions{Settings: map[string]string{"hot_standby": hot}})
		s.asServer("touch", filepath.Join(s.server.DataDir, "standby.signal"))
		s.ended = true
		s.pgctl("restart", "-m", "fast", "-W")
		want := "lets nobody in yet"
		if hot == "on" {
			want = "OK: logged in"
		}
		s.eventually(want, func() bool { o := s.run("db:test"); return strings.Contains(o.stdout+o.stderr, want) })
	}
}

// smart is a shutdown that waits for a client for ever.
func smart(s *scene) {
	s.own(pgserver.DisposableOptions{})
	s.leak = s.db().Open(1, "app")
	s.ended = true
	if err := syscall.Kill(s.server.PID, syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	s.eventually("nobody is let in", func() bool { return s.run("db:test").code == 1 })
}

// freeze stops one of our own server's processes until the row is over.
func (s *scene) freeze(pid int) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		s.Fatal(err)
	}
	s.thaw = func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	s.Cleanup(s.thaw)
}

// short makes a login give up after a second.
func (s *scene) short() {
	s.env["DATABASE_URL"] = s.db().URL("connection_limit=5", "connect_timeout=1")
}

// whenOurs does something to the tool's own backend, once it has one that old.
func (s *scene) whenOurs(age string, do func(pid int)) {
	admin := s.server.Admin("postgres")
	go func() {
		for range 1000 {
			var pid int
			err := admin.QueryRow(s.Context(), "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbtasks' AND datname = $1 AND clock_timestamp() - backend_start > $2::interval", s.db().Name, age).Scan(&pid)
			if err == nil {
				do(pid)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
}

// pgctl runs pg_ctl on the scene's own server, as the server's account.
func (s *scene) pgctl(args ...string) {
	s.Helper()
	bin := pgtest.Binaries(s.T).Dir
	s.asServer(append([]string{filepath.Join(bin, "pg_ctl"), "-D", s.server.DataDir, "-s", "-l", filepath.Join(s.server.DataDir, "ctl.log")}, args...)...)
}

// plant puts a file into the data directory, owned as that is.
func (s *scene) plant(name string, text []byte) {
	s.Helper()
	info, err := os.Stat(s.server.DataDir)
	if err != nil {
		s.Fatal(err)
	}
	path := filepath.Join(s.server.DataDir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			s.Fatal(err)
		}
	}
}

// asServer runs a program as the account of the scene's server.
func (s *scene) asServer(args ...string) {
	s.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		u, err := user.Lookup(s.server.Account)
		if err != nil {
			s.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("%v: %v: %s", args, err, out)
	}
}
