//go:build unix

package pgserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/reexec"
)

// victim is a server of the test's own whose restart is disturbed.
type victim struct {
	t     *testing.T
	s     *pgtest.Server
	pgCtl string
}

func (v *victim) pid() int {
	text, err := os.ReadFile(filepath.Join(v.s.DataDir, "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return 0
	}
	pid, _ := strconv.Atoi(lines[0])
	if syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// awaitUp wants the server to take logins, however it came up.
func (v *victim) awaitUp() int {
	v.t.Helper()
	pgtest.Eventually(v.t, 20*time.Second, "the server is up", func() bool { return v.pid() != 0 })
	awaitLogin(v.t, v.s.AdminURL("postgres"))
	return v.pid()
}

func (v *victim) plan() pgserver.Restart {
	v.t.Helper()
	plan, err := pgserver.PlanRestart(subject(v.t, v.awaitUp()), "")
	if err != nil || plan.Way != pgserver.WayPgCtl {
		v.t.Fatal(plan, err)
	}
	return plan
}

// between is the plan with its one command taken apart: the server is stopped,
// the words run, and the server is started, all as the plan would.
func (v *victim) between(words string) pgserver.Restart {
	v.t.Helper()
	plan := v.plan()
	options := fmt.Sprintf("-D '%s' -w -s -l '%s'", v.s.DataDir, plan.Log)
	script := fmt.Sprintf("set -e; %[1]s stop -m fast %[2]s; %[3]s\n%[1]s start %[2]s", v.pgCtl, options, words)
	plan.Run.Argv = []string{"sh", "-c", script}
	return plan
}

// file is one of the data directory.
func (v *victim) file(name string) string { return filepath.Join(v.s.DataDir, name) }

// owned makes a file the server's own again, which root has written.
func (v *victim) write(name, text string) {
	v.t.Helper()
	if err := os.WriteFile(v.file(name), []byte(text), 0o600); err != nil { // an existing file keeps its owner
		v.t.Fatal(err)
	}
}

// TestADisturbedRestartLeavesNoServerDownThatCouldBeUp disturbs a restart in 44
// ways. Where what was disturbed does not last, the server is up afterwards;
// where it does (the port is another's, the settings are broken), it is said
// that the server is down and why, and the plan's own way back works once it is
// mended.
func TestADisturbedRestartLeavesNoServerDownThatCouldBeUp(t *testing.T) {
	groups := map[string]func(t *testing.T, v *victim) int{"killed": killed, "passing": passing, "lasting": lasting, "users": usersOwn}
	count, ran := 0, 0
	for name, group := range groups {
		t.Run(name, func(t *testing.T) {
			s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"logging_collector": "off"}})
			if before, err := s.Postmaster(); err != nil || os.Geteuid() != 0 && before.Account != accountName() {
				t.Skip("only root or the server's account may restart it")
			}
			ran++
			count += group(t, &victim{t: t, s: s, pgCtl: filepath.Join(pgtest.Binaries(t).Dir, "pg_ctl")})
		})
	}
	if ran == len(groups) && !t.Failed() && count < 40 {
		t.Errorf("%d disturbances, want 40", count)
	}
}

func accountName() string {
	who, err := user.Current()
	if err != nil {
		return ""
	}
	return who.Username
}

// killed ends the command, or us, at ten moments each.
func killed(t *testing.T, v *victim) int {
	n := 0
	for step := range 10 {
		plan, before := v.plan(), v.pid()
		// The command is killed by its own parent, who waits that long.
		plan.Run.Argv = append([]string{"sh", "-c", fmt.Sprintf(`"$0" "$@" & sleep 0.%02d; kill -KILL $!; wait $!`, step*4)}, plan.Run.Argv...)
		err := plan.Apply(t.Context(), nil)
		var failed *pgserver.RestartError
		// Killed before it has asked for anything, it has done nothing, and that is said.
		if same := v.awaitUp() == before; same != (errors.As(err, &failed) && failed.State == pgserver.StateSame) || !same && err != nil {
			t.Errorf("the command killed after %d0 ms: the server is the same: %v, and what is said is %v", step*4, same, err)
		}
		n++
	}
	for step := range 8 {
		before := v.awaitUp()
		cmd := reexec.Command(t.Context(), restarterRole, "apply", strconv.Itoa(before))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pgtest.Eventually(t, 10*time.Second, "the server is being stopped", func() bool { return v.pid() != before })
		time.Sleep(time.Duration(step) * 15 * time.Millisecond) // the moment of the kill is what is tried here
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		v.awaitUp() // what has begun finishes by itself
		n++
	}
	return n
}

// passing are disturbances that are over by the time that somebody looks.
func passing(t *testing.T, v *victim) int {
	log := filepath.Join(filepath.Dir(v.s.DataDir), "passing")
	rows := map[string]string{
		"killed by TERM between":             "kill -TERM $$; sleep 1",
		"killed by KILL between":             "kill -KILL $$; sleep 1",
		"killed by HUP between":              "kill -HUP $$; sleep 1",
		"killed by INT between":              "kill -INT $$; sleep 1",
		"ends with 0 before it starts it":    "exit 0",
		"ends with 1 before it starts it":    "exit 1",
		"the environment is lost":            "env -i " + v.pgCtl + " start -D /nonexistent || exit 5",
		"a stale postmaster.pid is left":     "cp '" + v.file("PG_VERSION") + "' '" + log + "'; printf '999999\\n" + v.s.DataDir + "\\n1\\n1\\n\\n\\n\\nready\\n' >'" + v.file("postmaster.pid") + "'; exit 1",
		"the command's own start is refused": v.pgCtl + " start -w -s -D '" + v.s.DataDir + "' -o '--no_such_setting=1' -l /dev/null; exit 3",
	}
	for what, words := range rows {
		plan := v.between(words)
		before := v.pid()
		if err := plan.Apply(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after := v.awaitUp(); after == before {
			t.Errorf("%s: the server is the same", what)
		}
	}
	// Frozen, and restarted by somebody else meanwhile.
	plan, before := v.plan(), v.pid()
	if err := syscall.Kill(before, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), nil); err != nil {
		t.Errorf("frozen: %v", err)
	}
	first, second := v.plan(), v.plan()
	if err := first.Apply(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := second.Apply(t.Context(), nil); !errors.Is(err, pgserver.ErrServerChanged) {
		t.Errorf("restarted by somebody else meanwhile: %v", err)
	}
	v.awaitUp()
	both := []pgserver.Restart{v.plan(), v.plan()}
	results := make(chan error, 2)
	for _, plan := range both {
		go func() { results <- plan.Apply(t.Context(), nil) }()
	}
	<-results
	<-results
	v.awaitUp()
	return len(rows) + 3
}

// lasting are disturbances that somebody has to mend.
func lasting(t *testing.T, v *victim) int {
	keep := func(name string) (restore func()) {
		text, err := os.ReadFile(v.file(name))
		if err != nil {
			t.Fatal(err)
		}
		return func() { v.write(name, string(text)) }
	}
	mode := func(path string, perm os.FileMode) func() {
		return func() {
			if err := os.Chmod(path, perm); err != nil {
				t.Error(err)
			}
		}
	}
	conf, hba, version := keep("postgresql.conf"), keep("pg_hba.conf"), keep("PG_VERSION")
	var taken []net.Listener
	rows := []struct {
		what, words string
		act         func() // by us, before the command
		mend        func()
		fatal       string
	}{
		{what: "the settings are broken", words: "echo no_such_setting=1 >>'" + v.file("postgresql.conf") + "'", mend: conf, fatal: "errors"},
		{what: "pg_hba.conf is broken", words: "echo nonsense >>'" + v.file("pg_hba.conf") + "'", mend: hba, fatal: "pg_hba.conf"},
		{what: "another version's data", words: "echo 9 >'" + v.file("PG_VERSION") + "'", mend: version, fatal: "incompatible"},
		{what: "more memory than there is", words: "printf \"huge_pages=on\\nshared_buffers=200GB\\n\" >>'" + v.file("postgresql.conf") + "'", mend: conf, fatal: "shared memory"},
		{what: "the locale is not there", words: "echo \"lc_messages='xx_XX'\" >>'" + v.file("postgresql.conf") + "'", mend: conf, fatal: "errors"},
		{what: "anybody may write to the data directory", words: "chmod 777 '" + v.s.DataDir + "'", mend: mode(v.s.DataDir, 0o700), fatal: "permissions"},
		{what: "the settings are not readable", words: "chmod 000 '" + v.file("postgresql.conf") + "'", mend: mode(v.file("postgresql.conf"), 0o600)},
		{what: "the control file is not there", words: "mv '" + v.file("global/pg_control") + "' '" + v.file("global/away") + "'", mend: func() { _ = os.Rename(v.file("global/away"), v.file("global/pg_control")) }},
		{what: "the port is taken meanwhile", words: "sleep 0.4", mend: func() {
			for _, l := range taken {
				_ = l.Close()
			}
		}, fatal: "TCP/IP sockets"},
	}
	for _, row := range rows {
		plan := v.between(row.words)
		before := v.pid()
		stop := make(chan struct{})
		if strings.Contains(row.what, "port") {
			go func() {
				defer close(stop)
				for _, host := range []string{"127.0.0.1", "::1"} { // with one of them left it runs there
					for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(2 * time.Millisecond) {
						if l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(v.s.Port))); err == nil {
							taken = append(taken, l)
							break
						} else if !errors.Is(err, syscall.EADDRINUSE) {
							break // no IPv6 here
						}
					}
				}
			}()
		} else {
			close(stop)
		}
		err := plan.Apply(t.Context(), nil)
		<-stop
		var failed *pgserver.RestartError
		if !errors.As(err, &failed) || failed.State != pgserver.StateDown || failed.Back == "" || !strings.Contains(failed.Fatal, row.fatal) {
			t.Errorf("%s: %v, %+v", row.what, err, failed)
		}
		row.mend()
		// What is said to bring it back does, typed by hand as the server's account.
		if failed != nil {
			line, _, _ := strings.Cut(failed.Back, " (as ")
			cmd := exec.Command("sh", "-c", line+" >/dev/null 2>&1")
			cmd.Dir, cmd.SysProcAttr = "/", ownerAttr(t, v.s.DataDir)
			if err := cmd.Run(); err != nil {
				t.Errorf("%s: %s: %v", row.what, failed.Back, err)
			}
		}
		if after := v.awaitUp(); after == before {
			t.Errorf("%s: it was not stopped at all", row.what)
		}
	}
	// What is seen before the stop stops nothing.
	checks := map[string]struct{ act, mend func() }{
		"broken settings":      {func() { v.write("postgresql.conf", "no_such_setting = 1\n") }, conf},
		"a file that is gone":  {func() { v.write("postgresql.conf", "include 'gone.conf'\n") }, conf},
		"a value out of range": {func() { v.write("postgresql.auto.conf", "max_connections = -5\n") }, keep("postgresql.auto.conf")},
	}
	for what, c := range checks {
		plan, before := v.plan(), v.pid()
		c.act()
		if err := plan.Check(); !errors.Is(err, pgserver.ErrNotReady) || v.pid() != before {
			t.Errorf("%s: %v, pid %d then %d", what, err, before, v.pid())
		}
		c.mend()
	}
	return len(rows) + len(checks)
}

func ownerAttr(t *testing.T, path string) *syscall.SysProcAttr {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
}

// usersOwn are commands of DBTASKS_RESTART_COMMAND that leave the server down.
func usersOwn(t *testing.T, v *victim) int {
	as := ""
	if os.Geteuid() == 0 {
		as = "runuser -u " + v.s.Account + " -- "
	}
	stop := fmt.Sprintf("cd /; %s%s stop -m fast -s -w -D '%s'", as, v.pgCtl, v.s.DataDir)
	rows := map[string]string{"it only stops": stop, "it stops and fails": stop + "; exit 4", "it stops and is killed": stop + "; kill -KILL $$",
		"it starts it and stops it again": fmt.Sprintf("%[1]s; %[2]s%[3]s start -w -s -D '%[4]s' -l /dev/null; %[2]s%[3]s stop -m immediate -s -D '%[4]s'; exit 2", stop, as, v.pgCtl, v.s.DataDir)}
	for what, command := range rows {
		before := v.awaitUp()
		plan, err := pgserver.PlanRestart(subject(t, before), command)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Apply(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if v.awaitUp() == before {
			t.Errorf("%s: the server is the same", what)
		}
	}
	for _, command := range []string{"true", "false"} {
		before := v.awaitUp()
		plan, err := pgserver.PlanRestart(subject(t, before), command)
		if err != nil {
			t.Fatal(err)
		}
		var failed *pgserver.RestartError
		if err := plan.Apply(t.Context(), nil); !errors.As(err, &failed) || failed.State != pgserver.StateSame || v.pid() != before || !strings.Contains(err.Error(), "the server's start time is the same") {
			t.Errorf("%s: %v", command, err)
		}
	}
	// Ctrl+C between its stop and its start.
	before := v.awaitUp()
	plan, err := pgserver.PlanRestart(subject(t, before), stop+"; sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- plan.Apply(ctx, nil) }()
	pgtest.Eventually(t, 10*time.Second, "the server is stopped", func() bool { return syscall.Kill(before, 0) != nil })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	v.awaitUp()
	return len(rows) + 3
}
