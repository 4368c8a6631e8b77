//go:build unix

package pgserver_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgrunbook/pgrunbook/dbtasks/internal/hostops"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgserver"
	"github.com/pgrunbook/pgrunbook/dbtasks/internal/pgtest"
)

// subject looks at a postmaster of the test's own.
func subject(t *testing.T, pid int) pgserver.Subject {
	t.Helper()
	s, err := pgserver.SubjectOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitLogin fails the test when the superuser is not let in.
func awaitLogin(t *testing.T, url string) {
	t.Helper()
	pgtest.Eventually(t, 20*time.Second, "the server lets its superuser in", func() bool {
		conn, err := pgx.Connect(t.Context(), url)
		return err == nil && conn.Close(t.Context()) == nil
	})
}

func TestARestartedDisposableServerIsStillItsKeepers(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgserver.DisposableOptions{})
	before, err := s.Postmaster()
	if err != nil {
		t.Fatal(err)
	}
	if before.PID != s.PID || before.Port != s.Port || before.SocketDir != s.SocketDir || before.Account != s.Account || before.Bin != pgtest.Binaries(t).Dir || time.Since(before.Started) > time.Minute {
		t.Errorf("%+v", before)
	}
	plan, err := pgserver.PlanRestart(subject(t, before.PID), "")
	if err != nil || plan.Way != pgserver.WayPgCtl || !strings.Contains(plan.Describe(), "-m fast") {
		t.Fatalf("%v, %v", plan, err)
	}
	held := s.Admin("postgres") // fast mode does not wait for it
	var out lockedBuffer
	if err := plan.Apply(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	first, err := pgx.Connect(t.Context(), s.AdminURL("postgres")) // at once: Apply comes back when it takes logins
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close(t.Context())
	if err := held.Ping(t.Context()); err == nil {
		t.Error("a session outlived the restart")
	}
	after, err := s.Postmaster()
	if err != nil || after.PID == before.PID || after.Port != before.Port {
		t.Errorf("%+v, %v", after, err)
	}
	if out.String() != "" {
		t.Errorf("pg_ctl has something to say: %s", out.String())
	}
	if log := s.LogTail(3); !strings.Contains(log, "ready to accept connections") {
		t.Errorf("it logs elsewhere now: %s", log)
	}
	if err := plan.Apply(t.Context(), &out); !errors.Is(err, pgserver.ErrServerChanged) {
		t.Errorf("an old plan: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))); err == nil {
		_ = conn.Close()
		t.Error("the restarted server outlived Stop")
	}
}

// TestARestartKeepsTheOptionsOfTheStart starts a server as people do in a
// terminal: from its parent folder, with a relative -D, its port once on the
// command line and once from the environment.
func TestARestartKeepsTheOptionsOfTheStart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]struct{ args, env []string }{
		"port on the command line":  {args: []string{"-p", "%port%"}},
		"port from the environment": {env: []string{"PGPORT=%port%"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Start(t, pgserver.DisposableOptions{Settings: map[string]string{"logging_collector": "off"}})
			as := stopByHand(t, s)
			// The port goes out of the file, so that only the option has it.
			if err := os.WriteFile(filepath.Join(s.DataDir, "port.conf"), []byte("listen_addresses = '127.0.0.1'\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(s.Port)
			args := []string{"-D", "data", "-c", "work_mem=5MB"}
			for _, arg := range start.args {
				args = append(args, strings.ReplaceAll(arg, "%port%", port))
			}
			// The shell ends at once, as that of a closed terminal: process 1 has it then.
			cmd := exec.Command("sh", append([]string{"-c", `"$0" "$@" </dev/null >/dev/null 2>&1 &`, filepath.Join(pgtest.Binaries(t).Dir, "postgres")}, args...)...)
			cmd.Dir, cmd.SysProcAttr = filepath.Dir(s.DataDir), as
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			for _, entry := range start.env {
				cmd.Env = append(cmd.Env, strings.ReplaceAll(entry, "%port%", port))
			}
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			awaitLogin(t, s.AdminURL("postgres"))
			pm, err := s.Postmaster()
			if err != nil {
				t.Fatal(err)
			}
			plan, err := pgserver.PlanRestart(subject(t, pm.PID), "")
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Apply(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			awaitLogin(t, s.AdminURL("postgres"))
			var mem string
			if err := s.Admin("postgres").QueryRow(t.Context(), "SHOW work_mem").Scan(&mem); err != nil || mem != "5MB" {
				t.Errorf("work_mem %q (%v), want the option's 5MB", mem, err)
			}
		})
	}
}

// stopByHand stops the server that the keeper started, and says as whom to
// start another.
func stopByHand(t *testing.T, s *pgtest.Server) *syscall.SysProcAttr {
	t.Helper()
	if err := syscall.Kill(s.PID, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, 10*time.Second, "the server is down", func() bool {
		_, err := os.Stat(filepath.Join(s.DataDir, "postmaster.pid"))
		return os.IsNotExist(err)
	})
	info, err := os.Stat(s.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if int(owner.Uid) == os.Geteuid() {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
}

func TestTheUsersCommandIsRunThroughTheShellAndItsServerDoesNotHoldUsUp(t *testing.T) {
	t.Parallel()
	plan, err := pgserver.PlanRestart(pgserver.Subject{}, `cat; sleep 60 & echo "restarted by $!"`)
	if err != nil || plan.Way != pgserver.WayCommand {
		t.Fatalf("%v, %v", plan, err)
	}
	var out lockedBuffer
	began := time.Now()
	if err := plan.Apply(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	_, word, _ := strings.Cut(strings.TrimSpace(out.String()), "restarted by ")
	pid, err := strconv.Atoi(word)
	if err != nil {
		t.Fatalf("output: %q", out.String())
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s: as long as what it started", took)
	}
}

func TestAFailedCommandIsAnErrorWithItsExitCodeAndItsLastWords(t *testing.T) {
	t.Parallel()
	plan, err := pgserver.PlanRestart(pgserver.Subject{}, "PGPASSWORD=s3cret; echo one; echo 'no such service' >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = plan.Apply(t.Context(), nil)
	if !errors.Is(err, pgserver.ErrRestartFailed) || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such service") {
		t.Error(err)
	}
	if strings.Contains(plan.Describe()+err.Error(), "s3cret") {
		t.Error("a password is shown")
	}
}

func TestTheUsersCommandAndWhatItStartedEndWithTheContext(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{
		"it ends by itself": `sleep 60 & echo "below $!"; wait; echo more`,
		"it ignores TERM":   `trap '' TERM INT HUP; (sleep 60 & echo "below $!"; wait); sleep 60`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := pgserver.PlanRestart(pgserver.Subject{}, command)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var out lockedBuffer
			result := make(chan error, 1)
			go func() { result <- plan.Apply(ctx, &out) }()
			pgtest.Eventually(t, 5*time.Second, "the command has begun", func() bool { return strings.HasSuffix(out.String(), "\n") })
			below, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out.String(), "below ")))
			if err != nil {
				t.Fatalf("output: %q", out.String())
			}
			started, err := hostops.Find(below)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("Apply came back after %s", took)
			}
			if !hostops.Gone(started.Identity) {
				_ = syscall.Kill(below, syscall.SIGKILL)
				t.Error("what the command had started was left behind")
			}
		})
	}
}

func TestWithoutACommandAndWithoutAProcessThereIsNoWay(t *testing.T) {
	t.Parallel()
	if _, err := pgserver.PlanRestart(pgserver.Subject{}, ""); !errors.Is(err, pgserver.ErrNoRestart) {
		t.Error(err)
	}
}
